package reconcile

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"sync"

	"github.com/towpath/towpath/gitstore"
)

// mentions say which files may name an image, so that who asks for one image reads few of ten
// thousand files. They are read from the texts once for a commit, when somebody first asks.
type mentions struct {
	mu    sync.Mutex
	read  bool
	all   []mention // by word
	files []*file   // any of whose digests may be written in a way that a search does not find
}

// A mention is that a digest stands in a file: of the digest its first 64 bits, which two seldom share.
type mention struct {
	word uint64
	in   *file
}

// mentioning are the files that may name a digest, by path.
func (c *Catalog) mentioning(ctx context.Context, digest string) ([]*file, error) {
	c.mentions.mu.Lock()
	defer c.mentions.mu.Unlock()
	if err := c.readMentions(ctx); err != nil {
		return nil, err
	}
	found := slices.Clone(c.mentions.files)
	for _, word := range wordsOf([]byte(digest)) {
		i, _ := slices.BinarySearchFunc(c.mentions.all, word, func(m mention, w uint64) int { return cmp.Compare(m.word, w) })
		for ; i < len(c.mentions.all) && c.mentions.all[i].word == word; i++ {
			found = append(found, c.mentions.all[i].in)
		}
	}
	slices.SortFunc(found, func(a, b *file) int { return cmp.Compare(a.Path, b.Path) })
	return slices.Compact(found), nil
}

func (c *Catalog) readMentions(ctx context.Context) error {
	if c.mentions.read {
		return nil
	}
	c.mentions.all, c.mentions.files = nil, nil
	for _, f := range c.inOrder() {
		if len(f.streams) == 0 && !c.silent(f) {
			continue
		}
		src, err := c.snap.Read(ctx, f.Blob)
		if e := (*gitstore.Error)(nil); errors.As(err, &e) && e.OfOneFile() {
			c.mentions.files = append(c.mentions.files, f) // who reads it says what is wrong with it
			continue
		}
		if err != nil {
			return err
		}
		words := wordsOf(src)
		slices.Sort(words)
		for _, word := range slices.Compact(words) {
			c.mentions.all = append(c.mentions.all, mention{word, f})
		}
		if mayEncode(src) {
			c.mentions.files = append(c.mentions.files, f)
		}
	}
	slices.SortStableFunc(c.mentions.all, func(a, b mention) int { return cmp.Compare(a.word, b.word) })
	c.mentions.all = slices.Clip(c.mentions.all)
	c.mentions.read = true
	return nil
}

// mayEncode reports whether a text may write a digest otherwise than in its own characters: by
// escapes of those, over two lines, or as what YAML decodes.
func mayEncode(src []byte) bool {
	text := bytes.ReplaceAll(src, []byte{0}, nil)
	return slices.ContainsFunc([]string{`\x`, `\u`, `\U`, "\\\n", "\\\r", "!!", "!<", "%TAG"}, func(s string) bool { return bytes.Contains(text, []byte(s)) })
}

// wordsOf are the starts of what looks like the digits of a digest, in any encoding that YAML has.
func wordsOf(src []byte) (words []uint64) {
	const least = 64
	text := string(bytes.ReplaceAll(src, []byte{0}, nil))
	for {
		_, rest, ok := strings.Cut(text, ":")
		if !ok {
			return words
		}
		if text = rest; len(rest) < least || strings.Trim(rest[:least], "0123456789abcdef") != "" {
			continue
		}
		var start [8]byte
		if _, err := hex.Decode(start[:], []byte(rest[:16])); err == nil {
			words = append(words, binary.BigEndian.Uint64(start[:]))
		}
	}
}
