# odx with the programs of PostgreSQL that it calls; docs/containers.md has the use.
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=container
RUN CGO_ENABLED=0 go build -buildvcs=false -trimpath -ldflags "-X main.version=$VERSION" -o /usr/local/bin/odx ./cmd/odx

FROM debian:trixie-slim
# pg_dump has to be at least as new as the server: PostgreSQL's own packages have all versions.
ARG PG=18
RUN apt-get update \
	&& apt-get install -y --no-install-recommends ca-certificates postgresql-common \
	&& /usr/share/postgresql-common/pgdg/apt.postgresql.org.sh -y \
	&& apt-get install -y --no-install-recommends "postgresql-client-$PG" \
	&& rm -rf /var/lib/apt/lists/*
COPY --from=build /usr/local/bin/odx /usr/local/bin/odx
ENTRYPOINT ["odx"]
