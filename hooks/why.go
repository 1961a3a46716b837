package hooks

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A reason is why a delivery was not taken, for the log: whoever sent it hears less. It has
// nothing of a payload or a header but numbers.
type reason struct{ what, fix string }

func (r *reason) Error() string { return r.what }

const (
	fixSecret = "give the sender the text of secret-files; towpath hooks --config FILE says where"
	fixToken  = "compare audience:, issuer: and email: of the receiver with what the sender is set to; towpath hooks --config FILE says where"
	fixKind   = "see that the receiver's kind is the sender's, and that it sends JSON: towpath hooks --config FILE says how it is set"
)

// byHeaders are the headers by any of which a kind proves who sends, whatever the secret.
func byHeaders(names ...string) func([]byte) []string {
	return func([]byte) []string { return names }
}

// unproven is why a delivery is not signed by any of the receiver's secrets.
func unproven(v vendor, c call, keys [][]byte) error {
	var headers []string
	for _, key := range keys {
		for _, name := range v.shows(bytes.TrimSpace(key)) {
			if !slices.Contains(headers, name) {
				headers = append(headers, name)
			}
		}
	}
	came := slices.DeleteFunc(slices.Clone(headers), func(name string) bool { return len(c.header.Values(name)) == 0 })
	if len(came) == 0 {
		return &reason{"no " + strings.Join(headers, " or ") + " header came", fixSecret}
	}
	for _, name := range came {
		if n := len(c.header.Values(name)); n > 1 {
			return &reason{fmt.Sprintf("%d headers %s came, and one is what it takes", n, name), "see what stands between the sender and hooks-listen"}
		}
	}
	if slices.Contains(came, standardHeader) {
		if why := untimely(c); why != nil {
			return why
		}
	}
	what := "the signature is not that of any of its %d secrets"
	if came[0] == "Authorization" || came[0] == "X-Gitlab-Token" {
		what = "what came in " + came[0] + " is none of its %d secrets"
	}
	return &reason{fmt.Sprintf(what, len(keys)), fixSecret}
}

// untimely is what is wrong with the headers beside a signature of Standard Webhooks; nil: nothing.
func untimely(c call) error {
	for _, name := range []string{"Webhook-Id", "Webhook-Timestamp"} {
		if n := len(c.header.Values(name)); n != 1 || only(c.header, name) == "" {
			return &reason{"no " + name + " header came, or more than one", "send webhook-id, webhook-timestamp and webhook-signature, as Standard Webhooks has it"}
		}
	}
	seconds, err := strconv.ParseInt(only(c.header, "Webhook-Timestamp"), 10, 64)
	if err != nil {
		return &reason{"its timestamp is no number of seconds", "send webhook-timestamp in seconds since 1970"}
	}
	const fix = "set the clocks of both machines right; if it was sent again from a queue, send it anew"
	switch age := c.now.Sub(time.Unix(seconds, 0)); {
	case age > window:
		return &reason{fmt.Sprintf("its timestamp is %d s old", int64(age/time.Second)), fix}
	case age < -window:
		return &reason{fmt.Sprintf("its timestamp is %d s ahead of the clock here", int64(-(age / time.Second))), fix}
	}
	return nil
}

// notJSON is why a payload cannot be parsed. What package json says of it may quote it.
func notJSON(body []byte, err error) error {
	switch {
	case len(bytes.TrimSpace(body)) == 0:
		return errors.New("the payload is empty")
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("the payload ends in the middle")
	case errors.As(err, new(*json.SyntaxError)):
		return errors.New("the payload is no JSON")
	}
	return err
}
