package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// Folder makes sure that something can be made in a folder, or the nearest above
// it that exists, and warns where anybody may change what is in it.
func Folder(dir string) ([]Finding, error) {
	dir, err := existing(dir)
	if errors.Is(err, fs.ErrPermission) {
		return []Finding{cannotWrite(dir, err)}, nil
	}
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(dir)
	switch {
	case err != nil:
		return nil, err
	case !info.IsDir():
		return []Finding{{Check: "folder", Severity: Blocking, Text: dir + " is not a folder", Do: "choose another target"}}, nil
	}
	if err := tryWrite(dir); err != nil {
		return []Finding{cannotWrite(dir, err)}, nil
	}
	if mode := info.Mode(); mode&0o002 != 0 && mode&fs.ModeSticky == 0 {
		return []Finding{{Check: "folder", Severity: Warning, Text: fmt.Sprintf("everybody may remove and replace files in %s (mode %04o)", dir, mode.Perm()),
			Do: "chmod o-w " + dir}}, nil
	}
	return nil, nil
}

func cannotWrite(dir string, err error) Finding {
	return Finding{Check: "folder", Severity: Blocking, Text: fmt.Sprintf("nothing can be made in %s: %v", dir, err), Err: err,
		Do: "run odx as the folder's owner, or choose another folder"}
}
