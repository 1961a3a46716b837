package notify

var RetryAfter = retryAfter
