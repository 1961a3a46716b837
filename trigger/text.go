package trigger

// text finds what comments in a file of any text make follow: the line below.
func (f *finding) text(src []byte) {}

// rewrittenText is the text in which sites hold their images.
func rewrittenText(src []byte, rewrites []Rewrite) ([]byte, error) { return src, nil }
