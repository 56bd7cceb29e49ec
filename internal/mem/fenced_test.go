//go:build tandem_fenced

package mem

const fenced = true
