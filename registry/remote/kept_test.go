package remote

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"
)

// askTokens asks for the tokens of many repositories and says how many were fetched.
func askTokens(t *testing.T, kept *tokens, host string, repositories, size int, life time.Duration) (fetched int) {
	t.Helper()
	value := strings.Repeat("a", size)
	for i := range repositories {
		key := tokenKey{registry: at("https", host), realm: "https://" + host + "/token", scope: fmt.Sprintf("repository:team%d/web:pull", i)}
		if _, ok := kept.lookup(key, time.Now()); ok {
			continue
		}
		_, err := kept.get(t.Context(), key, func(context.Context) (token, error) {
			fetched++
			now := time.Now()
			return token{header: value, got: now, expires: now.Add(life)}, nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return fetched
}

// Ten thousand repositories that are asked for twice within the life of their tokens
// need one each.
func TestTokensStay(t *testing.T) {
	for _, size := range []int{1 << 10, 4 << 10} {
		var kept tokens
		first := askTokens(t, &kept, "registry.test", 10_000, size, time.Hour)
		again := askTokens(t, &kept, "registry.test", 10_000, size, time.Hour)
		if first != 10_000 || again != 0 {
			t.Errorf("tokens of %d bytes: %d were fetched, then %d, want 10,000 and none", size, first, again)
		}
	}
}

// fault: H-23
//
// Tokens as large as they may be stay within the bound, however many a registry
// gives and for how long, and others' find room beside them.
func TestTokensAreBounded(t *testing.T) {
	var kept tokens
	for range 4 {
		askTokens(t, &kept, "evil.test", 1000, maxToken, maxTokenLife)
		if kept.bytes > maxTokens {
			t.Fatalf("%d bytes are kept, want at most %d", kept.bytes, maxTokens)
		}
	}
	sum := 0
	for key, tok := range kept.kept {
		sum += bytesOf(key, tok)
	}
	if sum != kept.bytes || sum < maxTokens/2 {
		t.Errorf("%d bytes are kept and counted as %d, want the same, and more than half of the bound", sum, kept.bytes)
	}
	askTokens(t, &kept, "registry.test", 1000, 1<<10, minTokenLife)
	askTokens(t, &kept, "evil.test", 400, maxToken, maxTokenLife)
	if again := askTokens(t, &kept, "registry.test", 1000, 1<<10, minTokenLife); again != 0 {
		t.Errorf("%d of 1,000 were fetched again, want none", again)
	}
}

// What has expired makes room before anything else does.
func TestExpiredTokensGoFirst(t *testing.T) {
	var kept tokens
	askTokens(t, &kept, "registry.test", 100, 1<<10, time.Hour)
	askTokens(t, &kept, "old.test", 600, maxToken, -time.Second)
	askTokens(t, &kept, "other.test", 300, maxToken, time.Hour)
	if again := askTokens(t, &kept, "registry.test", 100, 1<<10, time.Hour); again != 0 {
		t.Errorf("%d of 100 were fetched again, want none", again)
	}
}
