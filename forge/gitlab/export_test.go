package gitlab

// For tests that try texts without a server.
var (
	WriteBody = writeBody
	ReadBody  = readBody
)
