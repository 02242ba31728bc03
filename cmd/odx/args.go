package main

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// reorder puts the flags of a command before its arguments, because the
// library takes everything after the first argument for an argument. It also
// takes -j4 apart, as pg_dump does. What it does not know it leaves alone, for
// the library to refuse.
func reorder(app *cli.App, args []string) []string {
	if args[len(args)-1] == completionFlag {
		return forCompletion(args)
	}
	if len(args) < 2 {
		return args
	}
	cmd := app.Command(args[1])
	if cmd == nil {
		return args
	}
	values := flagsWithValue(cmd)
	flags, positional := []string{}, []string{}
	rest := args[2:]
	for len(rest) > 0 {
		arg := rest[0]
		rest = rest[1:]
		if arg == "--" {
			positional = append(positional, rest...)
			break
		}
		if len(arg) < 2 || arg[0] != '-' {
			positional = append(positional, arg)
			continue
		}
		if len(arg) > 2 && arg[1] != '-' && values[arg[:2]] {
			flags = append(flags, arg[:2], strings.TrimPrefix(arg[2:], "="))
			continue
		}
		flags = append(flags, arg)
		if values[arg] && len(rest) > 0 {
			flags, rest = append(flags, rest[0]), rest[1:]
		}
	}
	out := append(slices.Clone(args[:2]), flags...)
	return append(append(out, "--"), positional...)
}

// completionFlag is what the completion scripts put last, to ask what can stand
// at the cursor.
const completionFlag = "--generate-bash-completion"

// forCompletion leaves "--" out: behind one the library takes its own flag for an
// argument, and would run the command that somebody is still writing.
func forCompletion(args []string) []string {
	return slices.DeleteFunc(slices.Clone(args), func(arg string) bool { return arg == "--" })
}

// flagsWithValue lists the flags of a command that take a value, with dashes.
func flagsWithValue(cmd *cli.Command) map[string]bool {
	values := map[string]bool{}
	for _, f := range cmd.Flags {
		doc, ok := f.(cli.DocGenerationFlag)
		if !ok || !doc.TakesValue() {
			continue
		}
		for _, name := range f.Names() {
			if len(name) == 1 {
				values["-"+name] = true
			} else {
				values["--"+name] = true
			}
		}
	}
	return values
}
