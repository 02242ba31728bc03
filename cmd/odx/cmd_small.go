package main

import (
	"fmt"
	"runtime"

	"github.com/urfave/cli/v2"
)

func newVersionCommand(ui *ui) *cli.Command {
	return &cli.Command{
		Name:  "version",
		Usage: "print the version of odx",
		Flags: []cli.Flag{&cli.BoolFlag{Name: "json", Usage: "as a JSON object"}},
		Action: func(c *cli.Context) error {
			if c.Bool("json") {
				return ui.printJSON(map[string]string{"odx": odxVersion(), "go": runtime.Version(),
					"os": runtime.GOOS, "arch": runtime.GOARCH})
			}
			return ui.printVersion()
		},
	}
}

func (u *ui) printVersion() error {
	_, err := fmt.Fprintf(u.stdout, "odx %s (%s, %s/%s)\n", odxVersion(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}

// The scripts ask odx itself for what can stand at the cursor.
const (
	bashCompletion = `_odx_complete() {
  local cur="${COMP_WORDS[COMP_CWORD]}" out
  out=$("${COMP_WORDS[@]:0:$COMP_CWORD}" ${cur:+"$cur"} --generate-bash-completion 2>/dev/null)
  COMPREPLY=($(compgen -W "$out" -- "$cur"))
}
complete -o bashdefault -o default -F _odx_complete odx
`
	zshCompletion = `#compdef odx
_odx() {
  local -a out
  out=("${(@f)$(${words[1,CURRENT-1]} ${words[CURRENT]} --generate-bash-completion 2>/dev/null)}")
  if [[ -n "${out[1]}" ]]; then _describe 'odx' out; else _files; fi
}
compdef _odx odx
`
)

func newCompletionCommand(ui *ui) *cli.Command {
	return &cli.Command{
		Name:        "completion",
		Usage:       "print a completion script for a shell",
		ArgsUsage:   "bash|zsh|fish",
		Description: "   eval \"$(odx completion bash)\"        # in ~/.bashrc\n   odx completion fish | source          # in config.fish",
		Action: func(c *cli.Context) error {
			script := ""
			switch c.Args().First() {
			case "bash":
				script = bashCompletion
			case "zsh":
				script = zshCompletion
			case "fish":
				var err error
				if script, err = c.App.ToFishCompletion(); err != nil {
					return err
				}
			default:
				return usagef("odx completion takes bash, zsh or fish")
			}
			_, err := fmt.Fprint(ui.stdout, script)
			return err
		},
	}
}
