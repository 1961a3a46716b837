package gogit

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// The packets that end a list, a section, and an answer hold nothing.
type packet int

const (
	pktData packet = iota
	pktFlush
	pktDelim
	pktEnd
)

const maxPacket = 65520

// errProtocol says that the other side does not speak Git as expected.
var errProtocol = errors.New("not Git's protocol")

// A serverError is what the server says in an ERR packet or on the error band.
type serverError struct{ text string }

func (e *serverError) Error() string { return "the server says: " + e.text }

// A pktReader reads pkt-lines. The bytes of a packet are good until the next.
type pktReader struct {
	r   *bufio.Reader
	buf [maxPacket]byte
}

func newPktReader(r io.Reader) *pktReader { return &pktReader{r: bufio.NewReaderSize(r, 32<<10)} }

// next returns io.EOF only between packets.
func (p *pktReader) next() ([]byte, packet, error) {
	var head [4]byte
	if _, err := io.ReadFull(p.r, head[:]); err != nil {
		return nil, pktFlush, err
	}
	n, err := strconv.ParseUint(string(head[:]), 16, 16)
	switch {
	case err != nil || n == 3 || n > maxPacket:
		return nil, pktFlush, fmt.Errorf("%w: a packet begins with %q", errProtocol, head)
	case n < 4:
		return nil, [...]packet{pktFlush, pktDelim, pktEnd}[n], nil
	}
	body := p.buf[:n-4]
	if _, err := io.ReadFull(p.r, body); err != nil {
		return nil, pktFlush, noEOF(err)
	}
	if bytes.HasPrefix(body, []byte("ERR ")) {
		return nil, pktFlush, &serverError{string(body[4:min(len(body), 512)])}
	}
	return body, pktData, nil
}

// line returns a packet's text without its final newline.
func (p *pktReader) line() (string, packet, error) {
	b, kind, err := p.next()
	return strings.TrimSuffix(string(b), "\n"), kind, err
}

func noEOF(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// pkt appends a pkt-line.
func pkt(b []byte, format string, args ...any) []byte {
	s := fmt.Sprintf(format, args...)
	return append(fmt.Appendf(b, "%04x", len(s)+4), s...)
}

const (
	flushPkt = "0000"
	delimPkt = "0001"
)

// A band reads the data of a side-band stream; what the server says beside it
// is kept in said.
type band struct {
	p    *pktReader
	rest []byte
	said *words
}

func (b *band) Read(p []byte) (int, error) {
	for len(b.rest) == 0 {
		body, kind, err := b.p.next()
		switch {
		case err != nil:
			return 0, noEOF(err)
		case kind != pktData:
			return 0, io.EOF
		case len(body) == 0:
			return 0, fmt.Errorf("%w: an empty packet", errProtocol)
		}
		switch body[0] {
		case 1:
			b.rest = body[1:]
		case 2:
			b.said.Write(body[1:])
		case 3:
			b.said.Write(body[1:])
			return 0, &serverError{string(body[1:min(len(body), 512)])}
		default:
			return 0, fmt.Errorf("%w: band %d", errProtocol, body[0])
		}
	}
	n := copy(p, b.rest)
	b.rest = b.rest[n:]
	return n, nil
}

// words keeps the beginning of what a server says to people.
type words struct{ b []byte }

func (w *words) Write(p []byte) {
	if room := 4096 - len(w.b); room > 0 {
		w.b = append(w.b, p[:min(room, len(p))]...)
	}
}
