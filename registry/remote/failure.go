package remote

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	"github.com/towpath/towpath/registry"
)

// A failure is a registry.Error in the making: it does not know yet what was
// asked, and on whose behalf. Its message is stable, its cause may vary.
type failure struct {
	kind       registry.Kind
	message    string
	retryAfter time.Duration
	status     int // of the registry's answer; 0 when there was none
	cause      error
}

func (f *failure) Error() string {
	if f.cause != nil {
		return f.message + ": " + f.cause.Error()
	}
	return f.message
}

func (f *failure) Unwrap() error { return f.cause }

func invalid(message string, cause error) *failure {
	return &failure{kind: registry.Invalid, message: message, cause: cause}
}

var (
	errDeadline = errors.New("the request took longer than allowed")
	errDrip     = errors.New("the answer came slower than 1 KiB a second")
)

// classify sorts any error of the stack by whose move it is.
func classify(err error, host string) *failure {
	var f *failure
	if errors.As(err, &f) {
		return f
	}
	var ue *url.Error
	if errors.As(err, &ue) {
		err = ue.Err // the URL of a later page or a redirect may carry a signature
	}
	kind, message := sortOut(err, host)
	return &failure{kind: kind, message: message, cause: err}
}

func sortOut(err error, host string) (registry.Kind, string) {
	var (
		private *privateError
		dns     *net.DNSError
		timeout net.Error
	)
	switch {
	case errors.As(err, &private) && private.dialled != at("https", host).host:
		return registry.Forbidden, "led to an address that is not public"
	case errors.As(err, &private):
		return registry.Forbidden, fmt.Sprintf("an address that is not public, and asking it is not allowed: name the registry in the operator's config (registries: [{host: %s}])", host)
	case errors.Is(err, http.ErrSchemeMismatch):
		return registry.TLS, "answered with plain HTTP instead of HTTPS: " + insecureFix(host)
	case isCertificate(err):
		return registry.TLS, fmt.Sprintf("a certificate that cannot be verified: name its authority in the operator's config (registries: [{host: %s, ca-file: FILE}]), or %s", host, insecureFix(host))
	case isTLS(err):
		return registry.TLS, "no secure connection"
	case errors.As(err, &dns) && dns.IsNotFound:
		return registry.Unreachable, "no such host"
	case errors.As(err, &dns):
		return registry.Unreachable, "the host's name could not be looked up"
	case errors.Is(err, context.Canceled):
		return registry.Unreachable, "the question was given up"
	case errors.Is(err, syscall.ECONNREFUSED):
		return registry.Unreachable, "connection refused"
	case errors.Is(err, errDrip), errors.Is(err, errDeadline), errors.Is(err, context.DeadlineExceeded),
		errors.As(err, &timeout) && timeout.Timeout():
		return registry.Unreachable, "no answer in time"
	}
	return registry.Unreachable, "the connection broke"
}

// insecureFix is what to write so that a host may be asked without HTTPS that
// can be verified. It takes two people: the operator and the author.
func insecureFix(host string) string {
	return fmt.Sprintf("allow it with registries: [{host: %s, insecure: true}] in the operator's config and importPolicy.insecure: true in the tag", host)
}

func isCertificate(err error) bool {
	var verification *tls.CertificateVerificationError
	var authority x509.UnknownAuthorityError
	var name x509.HostnameError
	var bad x509.CertificateInvalidError
	return errors.As(err, &verification) || errors.As(err, &authority) || errors.As(err, &name) || errors.As(err, &bad)
}

func isTLS(err error) bool {
	var record tls.RecordHeaderError
	var alert tls.AlertError
	return errors.As(err, &record) || errors.As(err, &alert) || strings.Contains(err.Error(), "tls: ")
}

// isConnection reports whether nothing that speaks HTTP was reached.
func isConnection(err error) bool {
	var f *failure
	var private *privateError
	return !errors.As(err, &f) && !errors.As(err, &private) && !errors.Is(err, context.Canceled)
}

// refusal sorts an answer of the registry that is no 200.
func refusal(resp *http.Response, body []byte) *failure {
	f := &failure{
		status: resp.StatusCode,
		cause:  fmt.Errorf("%s answered %d%s", originOf(resp.Request.URL), resp.StatusCode, codes(body)),
	}
	switch s := resp.StatusCode; {
	case s == http.StatusUnauthorized:
		f.kind, f.message = registry.Unauthorized, "no such repository, or no access to it"
	case s == http.StatusForbidden:
		f.kind, f.message = registry.Forbidden, "access denied"
	case s == http.StatusNotFound || s == http.StatusGone:
		f.kind, f.message = registry.NotFound, "not found"
		if strings.Contains(codes(body), "NAME_UNKNOWN") {
			f.message = "no such repository"
		}
	case s == http.StatusTooManyRequests:
		f.kind, f.message = registry.RateLimited, "too many requests"
		f.retryAfter, _ = askedToWait(resp, readQuota(resp.Header, time.Now()), time.Now())
	case s == http.StatusNotModified: // no question says what it has: a cache on the way is broken
		f.kind, f.message = registry.InternalError, "answered that nothing has changed, which was not asked"
	case s == http.StatusLoopDetected:
		f.kind, f.message = registry.Invalid, "the registry says that it would ask itself"
		f.cause = errors.Join(registry.ErrLoop, f.cause)
	case s == http.StatusRequestTimeout || s >= 500:
		f.kind, f.message = registry.InternalError, fmt.Sprintf("the registry failed with status %d", s)
		f.retryAfter, _ = retryAfter(resp.Header, time.Now())
	default:
		f.kind, f.message = registry.Invalid, fmt.Sprintf("the registry answered with status %d", s)
	}
	return f
}

// codes lists the error codes of a registry's answer, " NAME_UNKNOWN". Nothing
// else of an error body is kept: it may echo what was sent.
func codes(body []byte) string {
	var said struct{ Errors []struct{ Code string } }
	if json.Unmarshal(body, &said) != nil {
		return ""
	}
	var list strings.Builder
	for _, e := range said.Errors[:min(len(said.Errors), 4)] {
		if len(e.Code) <= 40 && strings.Trim(e.Code, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_") == "" {
			list.WriteString(" " + e.Code)
		}
	}
	return list.String()
}
