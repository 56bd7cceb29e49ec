package bench_test

import (
	"flag"
	"fmt"
	"strconv"
	"strings"
)

var (
	wantTable = flag.Bool("table", false, "print tables of the contests, in Markdown, at the end")
	table     = map[string][]string{} // rows by kind of contest
)

var titles = []struct{ kind, title string }{
	{"free", "One process, nobody else"},
	{"contended", "Two at once, each operation of either"},
	{"readers", "Two that only read, each operation of either"},
	{"trip", "Between two processes, there and back"},
	{"stream", "From one process to another, each message"},
}

func printTable() {
	for _, t := range titles {
		if len(table[t.kind]) == 0 {
			continue
		}
		fmt.Printf("\n| %s | ns | beside it, in the same rounds: ns (Tandem is so many times as fast) |\n| --- | --- | --- |\n", t.title)
		fmt.Println(strings.Join(table[t.kind], "\n"))
	}
}

func (c contest) row(there []*lane) string {
	var beside []string
	for _, peer := range there[1:] {
		beside = append(beside, fmt.Sprintf("%s %s (%s)", peer.title(), figure(median(peer.ns)), times(faster(there[0], peer))))
	}
	return fmt.Sprintf("| %s | %s | %s |", c.what, figure(median(there[0].ns)), strings.Join(beside, ", "))
}

// title is the contestant as a reader of the table knows it.
func (l *lane) title() string {
	switch {
	case l.in == twoFree:
		return "itself, unpinned"
	case l.in == inPython:
		return "Python `" + l.name + "`"
	}
	return strings.ReplaceAll(l.name, "-", " ")
}

// figure is nanoseconds, in as many digits as mean something.
func figure(ns float64) string {
	switch {
	case ns < 9.95:
		return fmt.Sprintf("%.1f", ns)
	case ns < 999.5:
		return fmt.Sprintf("%.0f", ns)
	}
	three, _ := strconv.ParseFloat(fmt.Sprintf("%.3g", ns), 64)
	s := strconv.Itoa(int(three))
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// times is a ratio, in two digits.
func times(x float64) string {
	if x < 9.95 {
		return fmt.Sprintf("%.2g×", x)
	}
	return fmt.Sprintf("%.0f×", x)
}
