package shm_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"example.com/tandem/shm"
)

// What go doc shows of a type of this package is all that it has: it says nothing
// of the fields of what an internal package declares.
func TestGoDocShowsAllFields(t *testing.T) {
	said := docOf(t, "Error")
	for _, f := range reflect.VisibleFields(reflect.TypeFor[shm.Error]()) {
		if !regexp.MustCompile(`(?m)^\t*` + f.Name + ` +` + f.Type.String() + `\b`).MatchString(said) {
			t.Errorf("the documentation of Error does not have %s %v", f.Name, f.Type)
		}
	}
	seen := map[reflect.Type]bool{}
	var look func(reflect.Type)
	look = func(typ reflect.Type) {
		for k := typ.Kind(); k == reflect.Slice || k == reflect.Pointer; k = typ.Kind() {
			typ = typ.Elem()
		}
		if typ.Kind() != reflect.Struct || seen[typ] {
			return
		}
		seen[typ] = true
		for _, f := range reflect.VisibleFields(typ) {
			if f.Anonymous && strings.Contains(f.Type.PkgPath(), "/internal/") {
				t.Errorf("%v embeds %v", typ, f.Type)
			}
			look(f.Type)
		}
	}
	look(reflect.TypeFor[shm.Snapshot]())
	if !seen[reflect.TypeFor[shm.ObjectState]()] {
		t.Error("a Snapshot has no ObjectState")
	}
}

// docOf is the comment on a type of this package.
func docOf(t *testing.T, name string) string {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		f, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range f.Decls {
			if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.TYPE && g.Specs[0].(*ast.TypeSpec).Name.Name == name {
				return g.Doc.Text()
			}
		}
	}
	t.Fatalf("there is no type %s", name)
	return ""
}
