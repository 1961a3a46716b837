package hooks

func registries() []vendor { return nil }
