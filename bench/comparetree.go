package bench

import (
	"bytes"
	"cmp"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// CompareTrees compares two folders: names and kinds of everything in them, and
// size and content of files. Times, owners and modes do not matter. It returns a
// [*DifferenceError], or the error that ended the comparison. Memory is that of
// the largest single folder's names.
func CompareTrees(a, b string) error {
	t := treeComparison{a: a, b: b, bufA: make([]byte, 64<<10), bufB: make([]byte, 64<<10)}
	if err := t.folder("."); err != nil {
		return err
	}
	return t.err("compare " + a + " with " + b)
}

type treeComparison struct {
	differences
	a, b       string
	bufA, bufB []byte
}

// folder compares one folder and all below it. Both lists of names are sorted.
func (t *treeComparison) folder(path string) error {
	left, err := os.ReadDir(filepath.Join(t.a, path))
	if err != nil {
		return err
	}
	right, err := os.ReadDir(filepath.Join(t.b, path))
	if err != nil {
		return err
	}
	for len(left) > 0 || len(right) > 0 {
		switch order := compareFirst(left, right); {
		case order < 0:
			t.add("%s: only in %s", filepath.Join(path, left[0].Name()), t.a)
			left = left[1:]
		case order > 0:
			t.add("%s: only in %s", filepath.Join(path, right[0].Name()), t.b)
			right = right[1:]
		default:
			if err := t.entry(filepath.Join(path, left[0].Name()), left[0], right[0]); err != nil {
				return err
			}
			left, right = left[1:], right[1:]
		}
	}
	return nil
}

// compareFirst says which list has the name that comes first.
func compareFirst(left, right []fs.DirEntry) int {
	switch {
	case len(left) == 0:
		return 1
	case len(right) == 0:
		return -1
	}
	return cmp.Compare(left[0].Name(), right[0].Name())
}

func (t *treeComparison) entry(path string, left, right fs.DirEntry) error {
	if left.Type() != right.Type() {
		t.add("%s: %v and %v", path, left.Type(), right.Type())
		return nil
	}
	switch {
	case left.IsDir():
		return t.folder(path)
	case left.Type()&fs.ModeSymlink != 0:
		return t.links(path)
	case left.Type().IsRegular():
		return t.files(path, left, right)
	}
	return nil
}

func (t *treeComparison) links(path string) error {
	left, err := os.Readlink(filepath.Join(t.a, path))
	if err != nil {
		return err
	}
	right, err := os.Readlink(filepath.Join(t.b, path))
	if err == nil && left != right {
		t.add("%s: link to %q and to %q", path, left, right)
	}
	return err
}

func (t *treeComparison) files(path string, left, right fs.DirEntry) error {
	leftInfo, err := left.Info()
	if err != nil {
		return err
	}
	rightInfo, err := right.Info()
	if err != nil {
		return err
	}
	if leftInfo.Size() != rightInfo.Size() {
		t.add("%s: %d and %d bytes", path, leftInfo.Size(), rightInfo.Size())
		return nil
	}
	if os.SameFile(leftInfo, rightInfo) || leftInfo.Size() == 0 {
		return nil
	}
	return t.contents(path)
}

func (t *treeComparison) contents(path string) error {
	left, err := os.Open(filepath.Join(t.a, path))
	if err != nil {
		return err
	}
	defer left.Close()
	right, err := os.Open(filepath.Join(t.b, path))
	if err != nil {
		return err
	}
	defer right.Close()
	for offset := int64(0); ; {
		n, errA := io.ReadFull(left, t.bufA)
		m, errB := io.ReadFull(right, t.bufB)
		if n != m || !bytes.Equal(t.bufA[:n], t.bufB[:m]) {
			t.add("%s: differs from byte %d", path, offset+int64(common(t.bufA[:n], t.bufB[:m])))
			return nil
		}
		offset += int64(n)
		for _, err := range []error{errA, errB} {
			if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
				return err
			}
		}
		if errA != nil {
			return nil
		}
	}
}

// common is the length of the common beginning.
func common(a, b []byte) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}
