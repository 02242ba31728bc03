package rebuild

// kind says what there is to know of a kind of entries.
type kind struct {
	isPost bool // in the post-data section
	// parse reads the start of the definition. It gives false if that is not
	// the definition of such an entry.
	parse func(c *cursor, s *subject) bool
}

// kinds are the kinds of entries that pg_dump 13 to 18 writes and that have no
// data.
var kinds = map[string]kind{
	"ACCESS METHOD":                {parse: global("CREATE", "ACCESS", "METHOD")},
	"ACL":                          {parse: parseACL},
	"AGGREGATE":                    {parse: routine("AGGREGATE")},
	"BLOB":                         {parse: starts("SELECT", "pg_catalog")},
	"BLOB METADATA":                {parse: starts("SELECT", "pg_catalog")},
	"CAST":                         {parse: starts("CREATE", "CAST")},
	"CHECK CONSTRAINT":             {isPost: true, parse: parseConstraint},
	"COLLATION":                    {parse: local("CREATE", "COLLATION")},
	"COMMENT":                      {parse: starts("COMMENT", "ON")},
	"CONSTRAINT":                   {isPost: true, parse: parseConstraint},
	"CONVERSION":                   {parse: parseConversion},
	"DATABASE":                     {parse: global("CREATE", "DATABASE")},
	"DATABASE PROPERTIES":          {parse: starts("ALTER")},
	"DEFAULT":                      {parse: parseDefault},
	"DEFAULT ACL":                  {isPost: true, parse: starts("ALTER", "DEFAULT", "PRIVILEGES")},
	"DOMAIN":                       {parse: local("CREATE", "DOMAIN")},
	"EVENT TRIGGER":                {isPost: true, parse: global("CREATE", "EVENT", "TRIGGER")},
	"EXTENSION":                    {parse: global("CREATE", "EXTENSION", "IF", "NOT", "EXISTS")},
	"FK CONSTRAINT":                {isPost: true, parse: parseForeignKey},
	"FOREIGN DATA WRAPPER":         {parse: global("CREATE", "FOREIGN", "DATA", "WRAPPER")},
	"FOREIGN TABLE":                {parse: parseTable},
	"FUNCTION":                     {parse: routine("FUNCTION")},
	"INDEX":                        {isPost: true, parse: parseIndex},
	"INDEX ATTACH":                 {isPost: true, parse: parseIndexAttach},
	"MATERIALIZED VIEW":            {parse: parseMatView},
	"MATERIALIZED VIEW DATA":       {isPost: true, parse: local("REFRESH", "MATERIALIZED", "VIEW")},
	"OPERATOR":                     {parse: parseOperator},
	"OPERATOR CLASS":               {parse: local("CREATE", "OPERATOR", "CLASS")},
	"OPERATOR FAMILY":              {parse: local("CREATE", "OPERATOR", "FAMILY")},
	"POLICY":                       {isPost: true, parse: parsePolicy},
	"PROCEDURAL LANGUAGE":          {parse: parseLanguage},
	"PROCEDURE":                    {parse: routine("PROCEDURE")},
	"PUBLICATION":                  {isPost: true, parse: global("CREATE", "PUBLICATION")},
	"PUBLICATION TABLE":            {isPost: true, parse: parsePublicationTable},
	"PUBLICATION TABLES IN SCHEMA": {isPost: true, parse: parsePublicationSchema},
	"ROW SECURITY":                 {isPost: true, parse: parseRowSecurity},
	"RULE":                         {isPost: true, parse: parseRule},
	"SCHEMA":                       {parse: parseSchema},
	"SECURITY LABEL":               {parse: starts("SECURITY", "LABEL")},
	"SEQUENCE":                     {parse: parseSequence},
	"SEQUENCE OWNED BY":            {parse: local("ALTER", "SEQUENCE")},
	"SEQUENCE SET":                 {parse: parseSetval},
	"SERVER":                       {parse: global("CREATE", "SERVER")},
	"SHELL TYPE":                   {parse: local("CREATE", "TYPE")},
	"STATISTICS":                   {isPost: true, parse: parseStatistics},
	"STATISTICS DATA":              {parse: starts("SELECT")},
	"SUBSCRIPTION":                 {isPost: true, parse: global("CREATE", "SUBSCRIPTION")},
	"TABLE":                        {parse: parseTable},
	"TABLE ATTACH":                 {parse: parseTableAttach},
	"TEXT SEARCH CONFIGURATION":    {parse: local("CREATE", "TEXT", "SEARCH", "CONFIGURATION")},
	"TEXT SEARCH DICTIONARY":       {parse: local("CREATE", "TEXT", "SEARCH", "DICTIONARY")},
	"TEXT SEARCH PARSER":           {parse: local("CREATE", "TEXT", "SEARCH", "PARSER")},
	"TEXT SEARCH TEMPLATE":         {parse: local("CREATE", "TEXT", "SEARCH", "TEMPLATE")},
	"TRANSFORM":                    {parse: starts("CREATE", "TRANSFORM")},
	"TRIGGER":                      {isPost: true, parse: parseTrigger},
	"TYPE":                         {parse: local("CREATE", "TYPE")},
	"USER MAPPING":                 {parse: starts("CREATE", "USER", "MAPPING")},
	"VIEW":                         {parse: parseView},
}
