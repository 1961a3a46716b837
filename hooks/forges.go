package hooks

func forges() []vendor { return nil }
