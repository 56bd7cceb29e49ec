package bench_test

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"runtime"
	"strings"
)

var (
	wantTable = flag.Bool("table", false, "print tables of the contests, in Markdown, at the end")
	table     = map[string][]string{} // rows by kind of contest
)

var titles = []struct{ kind, title string }{
	{"free", "One process, nobody else"},
	{"contended", "Several at once, each operation of any"},
	{"readers", "Two that only read, each operation of either"},
	{"watch", "One that reads, beside one that writes without end, each read"},
	{"line", "The floor"},
	{"trip", "Between two processes, there and back"},
	{"stream", "From one process to another, each message"},
	{"many", "From several to several, each message"},
	{"large", "Long messages from one process to another, each"},
}

const percentilesTitle = "There and back, how long each took"

func printTable(before string) {
	fmt.Printf("\n%d processors (%s), %s, load %s before and %s after.\n",
		len(processors), model(), strings.Replace(runtime.Version(), "go", "Go ", 1), before, load())
	for _, t := range titles {
		if len(table[t.kind]) == 0 {
			continue
		}
		line, rule := " line |", " --- |"
		if t.kind == "free" {
			line, rule = "", ""
		}
		fmt.Printf("\n| %s |%s ns | spread | beside it, in the same rounds: ns (Tandem is so many times as fast: median, middle half) |\n", t.title, line)
		fmt.Printf("| --- |%s --- | --- | --- |\n%s\n", rule, strings.Join(table[t.kind], "\n"))
	}
	if len(barRows) > 0 {
		fmt.Printf("\n| What is promised | line | it is (median, middle half) | at least | |\n| --- | --- | --- | --- | --- |\n%s\n", strings.Join(barRows, "\n"))
	}
	if len(latencies) > 0 {
		fmt.Printf("\n| %s | line | by | p50 | p99 | p99.9 | max |\n| --- | --- | --- | --- | --- | --- | --- |\n%s\n", percentilesTitle, strings.Join(latencies, "\n"))
	}
}

// model is the processors'.
func model() string {
	b, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(b)) {
		if key, value, _ := strings.Cut(line, ":"); strings.TrimSpace(key) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

// rows is a row for each distance of the processors, where that matters.
func (c contest) rows(r result) (rows []string) {
	for _, d := range distances(r.line) {
		rows = append(rows, c.row(d, r))
		if c.kind == "free" {
			break
		}
	}
	return rows
}

func (c contest) row(d distance, r result) string {
	ours := r.there[0]
	var beside []string
	for _, peer := range r.there[1:] {
		beside = append(beside, fmt.Sprintf("%s %s (%s)", peer.title(ours.contestant), c.figure(d.of(peer.ns)), within(d.of(ratios(ours, peer)))))
	}
	where := d.column(r)
	if c.kind == "free" {
		where = ""
	}
	spread := spread(d.of(ours.ns))
	return fmt.Sprintf("| %s |%s %s | %.0f %% | %s |", c.what, where, c.figure(d.of(ours.ns)), spread, strings.Join(beside, ", "))
}

// column is where the processors were.
func (d distance) column(r result) string {
	if !d.known() {
		return " changing |"
	}
	return fmt.Sprintf(" %s, %s |", d.name, figure(median(d.of(r.line))))
}

// figure is the median, and bytes a second where these count.
func (c contest) figure(ns []float64) string {
	s := figure(median(ns))
	if c.bytes > 0 {
		s += fmt.Sprintf(" = %.2g GB/s", float64(c.bytes)/median(ns))
	}
	return s
}

// sized is a message's size in a name, which stands in the row already.
var sized = regexp.MustCompile(`-(8|64|4K|64K|1M)\b`)

func (l *lane) plainName() string {
	return strings.ReplaceAll(sized.ReplaceAllString(l.name, ""), "-", " ")
}

// title is the contestant as a reader of the table knows it, beside ours.
func (l *lane) title(ours contestant) string {
	name := l.plainName()
	switch {
	case l.in.language == "Python":
		return "Python `" + l.name + "`"
	case l.in.language == ours.in.language && l.name == ours.name:
		name = "itself"
	}
	if l.in.processes > 1 && ours.in.processes > 1 && l.in.pinned != ours.in.pinned {
		name += map[bool]string{true: ", pinned", false: ", unpinned"}[l.in.pinned]
	}
	return name
}
