package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/alecthomas/kong"
)

type completionCmd struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

func (completionCmd) Help() string {
	return `Examples:

    sparewatch completion bash >/etc/bash_completion.d/sparewatch
    sparewatch completion zsh >/usr/local/share/zsh/site-functions/_sparewatch
    sparewatch completion fish >~/.config/fish/completions/sparewatch.fish`
}

// completions writes the script of each shell.
var completions = map[string]func(io.Writer, []*kong.Node){"bash": bashCompletion, "zsh": zshCompletion, "fish": fishCompletion}

// Run prints the script for a shell.
func (c completionCmd) Run(k *kong.Context) error {
	completions[c.Shell](os.Stdout, commands(k.Model.Node))
	return nil
}

// commands are the subcommands that are listed.
func commands(n *kong.Node) []*kong.Node {
	var all []*kong.Node
	for _, c := range n.Children {
		if c.Type == kong.CommandNode && !c.Hidden {
			all = append(all, c)
		}
	}
	return all
}

// flags are a command's own flags, and those of its subcommands.
func flags(n *kong.Node) []*kong.Flag {
	var all []*kong.Flag
	for _, f := range n.Flags {
		if !f.Hidden && f.Name != "help" {
			all = append(all, f)
		}
	}
	for _, c := range commands(n) {
		all = append(all, flags(c)...)
	}
	return all
}

// names are those of the nodes, with a blank between them.
func names(all []*kong.Node) string {
	words := make([]string, len(all))
	for i, n := range all {
		words[i] = n.Name
	}
	return strings.Join(words, " ")
}

// bashCompletion offers commands, then flags; what is neither is left to readline, which offers files.
func bashCompletion(w io.Writer, all []*kong.Node) {
	fmt.Fprintf(w, `# bash completion of sparewatch
_sparewatch() {
	local cur=${COMP_WORDS[COMP_CWORD]} words=
	if [ "$COMP_CWORD" = 1 ]; then
		COMPREPLY=($(compgen -W "%s --help --version" -- "$cur"))
		return
	fi
	case ${COMP_WORDS[1]} in
`, names(all))
	for _, n := range all {
		words := []string{"--help"}
		for _, f := range flags(n) {
			words = append(words, "--"+f.Name)
		}
		fmt.Fprintf(w, "\t%s) words=%q ;;\n", n.Name, strings.Join(words, " "))
	}
	fmt.Fprint(w, `	esac
	COMPREPLY=()
	case $cur in
	-*) COMPREPLY=($(compgen -W "$words" -- "$cur")) ;;
	esac
`)
	for _, n := range all {
		if subs := commands(n); len(subs) > 0 {
			fmt.Fprintf(w, "\t[ \"${COMP_WORDS[1]} $COMP_CWORD\" = %q ] && COMPREPLY=($(compgen -W %q -- \"$cur\"))\n", n.Name+" 2", names(subs))
		}
	}
	fmt.Fprint(w, "}\ncomplete -o default -F _sparewatch sparewatch\n")
}

func zshCompletion(w io.Writer, all []*kong.Node) {
	fmt.Fprint(w, "#compdef sparewatch\n\nlocal -a commands\ncommands=(\n")
	for _, n := range all {
		fmt.Fprintf(w, "\t%s\n", quoted(n.Name+":"+n.Help))
	}
	fmt.Fprint(w, ")\nif (( CURRENT == 2 )); then\n\t_describe command commands\n\treturn\nfi\n(( CURRENT-- ))\nshift words\ncase $words[1] in\n")
	for _, n := range all {
		fmt.Fprintf(w, "%s)\n\t_arguments", n.Name)
		for _, f := range flags(n) {
			value := ""
			if !f.IsBool() {
				value = ":" + strings.ToLower(f.Name) + ":" + zshValues(f)
			}
			fmt.Fprintf(w, " \\\n\t\t%s", quoted("--"+f.Name+equals(f)+"["+zshHelp.Replace(f.Help)+"]"+value))
		}
		rest := "_files"
		if subs := commands(n); len(subs) > 0 {
			rest = "(" + names(subs) + ")"
		}
		fmt.Fprintf(w, " \\\n\t\t%s\n\t;;\n", quoted("*:argument:"+rest))
	}
	fmt.Fprint(w, "esac\n")
}

// zshHelp escapes what ends a description.
var zshHelp = strings.NewReplacer("[", `\[`, "]", `\]`)

func equals(f *kong.Flag) string {
	if f.IsBool() {
		return ""
	}
	return "="
}

// zshValues is what may follow a flag: files where it takes one.
func zshValues(f *kong.Flag) string {
	if isFile(f) {
		return "_files"
	}
	return " "
}

func isFile(f *kong.Flag) bool { return f.Tag.Type == "path" || f.Tag.Type == "existingfile" }

func fishCompletion(w io.Writer, all []*kong.Node) {
	fmt.Fprint(w, "# fish completion of sparewatch\n")
	for _, n := range all {
		fmt.Fprintf(w, "complete -c sparewatch -f -n __fish_use_subcommand -a %s -d %s\n", n.Name, quoted(n.Help))
	}
	for _, n := range all {
		seen := "'__fish_seen_subcommand_from " + n.Name + "'"
		for _, sub := range commands(n) {
			fmt.Fprintf(w, "complete -c sparewatch -f -n %s -a %s -d %s\n", seen, sub.Name, quoted(sub.Help))
		}
		for _, f := range flags(n) {
			takes := ""
			switch {
			case isFile(f):
				takes = " -r -F"
			case !f.IsBool():
				takes = " -x"
			}
			fmt.Fprintf(w, "complete -c sparewatch -n %s -l %s%s -d %s\n", seen, f.Name, takes, quoted(f.Help))
		}
	}
}

// quoted is a word for a shell. All three know single quotes; an apostrophe is written as a typographer would.
func quoted(s string) string { return "'" + strings.ReplaceAll(s, "'", "’") + "'" }
