//go:build amd64 && !race && !tandem_sim && tandem_fenced

package mem

const fenced = true
