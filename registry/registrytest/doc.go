// Package registrytest is for tests of whatever reads registries: the contract
// that every registry.Reader keeps (Test), images to push into a real registry
// (Push, PushIndex), a registry that misbehaves on request (Script), a server
// that no secret may reach (Trap), and certificates for both (CA).
//
// It listens on loopback only, knows nothing of streams or Git, and is imported
// by tests alone.
package registrytest
