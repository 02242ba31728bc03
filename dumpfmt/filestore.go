package dumpfmt

import (
	"path"
	"path/filepath"
	"strings"
)

// StorePath gives the path, relative to the filestore and with slashes, of the
// file that an attachment's store_fname names; ok is false where it names none:
// it is empty, or a URI of an add-on that keeps files elsewhere (s3://...), or
// nothing that could be a file inside the filestore. The path never leads out
// of the filestore.
//
// Odoo builds the path by taking all dots out of the name and slashes and
// backslashes off its ends; Odoo 19 takes colons out too. Odoo itself only
// writes names of the form ab/<40 hexadecimal digits> (up to 6, also with three
// digits first), on which the versions agree. For a name with colons the path
// is that of Odoo 18 and older; StorePaths gives both.
func StorePath(storeFname string) (rel string, ok bool) {
	if len(storeFname) == 43 && storeFname[2] == '/' && IsSHA1Name(storeFname[3:]) &&
		isHex(storeFname[:2]) {
		return storeFname, true // as nearly all are
	}
	if isURI(storeFname) {
		return "", false
	}
	return storePath(strings.ReplaceAll(storeFname, ".", ""))
}

// storePath19 is StorePath by the rules of Odoo 19.
func storePath19(storeFname string) (rel string, ok bool) {
	if isURI(storeFname) {
		return "", false
	}
	return storePath(strings.ReplaceAll(strings.ReplaceAll(storeFname, ".", ""), ":", ""))
}

// StorePaths gives the paths of the files that a store_fname may mean: none, that of
// StorePath, or where the rules of Odoo 19 give another, both.
func StorePaths(storeFname string) []string {
	rel, ok := StorePath(storeFname)
	if !ok {
		return nil
	}
	if strings.Contains(storeFname, ":") {
		if other, ok := storePath19(storeFname); ok && other != rel {
			return []string{rel, other}
		}
	}
	return []string{rel}
}

func storePath(name string) (rel string, ok bool) {
	name = strings.Trim(name, `/\`)
	if name == "" || strings.ContainsRune(name, 0) {
		return "", false
	}
	rel = path.Clean(name) // doubled slashes: there is no dot left
	if !filepath.IsLocal(filepath.FromSlash(rel)) {
		return "", false
	}
	return rel, true
}

// isURI tells whether a name begins with a scheme, such as s3:// or the code
// of a storage that an administrator has chosen.
func isURI(name string) bool {
	scheme, _, found := strings.Cut(name, "://")
	return found && scheme != "" && !strings.Contains(scheme, "/")
}

// IsSHA1Name tells whether a file name is a SHA-1 digest as Odoo writes it: 40
// hexadecimal digits in lower case.
func IsSHA1Name(name string) bool {
	return len(name) == 40 && isHex(name)
}

// IsHashPath tells whether a path in a filestore, with slashes, is one that Odoo
// gives to content by its SHA-1: ab/<40 hexadecimal digits> that begin with ab,
// formerly abc/. Files of checklist/ bear the names of others.
func IsHashPath(rel string) bool {
	dir, name, _ := strings.Cut(rel, "/")
	return (len(dir) == 2 || len(dir) == 3) && IsSHA1Name(name) && strings.HasPrefix(name, dir)
}

func isHex(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
