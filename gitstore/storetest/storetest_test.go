package storetest_test

import (
	"testing"

	"github.com/towpath/towpath/gitstore/memory"
	"github.com/towpath/towpath/gitstore/storetest"
)

func TestMemory(t *testing.T) {
	storetest.Test(t, func(t *testing.T, files map[string]string) storetest.Fixture {
		s := memory.New(files)
		return storetest.Fixture{Store: s, World: storetest.Memory(s)}
	})
}
