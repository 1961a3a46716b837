package hooks

// What a person does at each forge. The secret is the contents of the receiver's secret file.

func setUpGitHub(url string) []string {
	return []string{
		"In the repository, under Settings, Webhooks, add a webhook:",
		"  Payload URL: " + url,
		"  Content type: application/json",
		"  Secret: the contents of the secret file",
		"  Events: Pushes; with proposals also Pull requests, Check suites, Statuses",
	}
}

func setUpGitLab(url string) []string {
	return []string{
		"In the project, under Settings, Webhooks, add a webhook:",
		"  URL: " + url,
		"  Signing token: generate one and write it to the secret file, whsec_ included; a GitLab that has none: Secret token, the contents of the file",
		"  Trigger: Push events; with proposals also Merge request events, Pipeline events",
		"GitLab sends nothing for a push of more than three branches: polling finds it.",
	}
}

func setUpGitea(name string) func(url string) []string {
	return func(url string) []string {
		return []string{
			"In the repository, under Settings, Webhooks, add a webhook of the type " + name + ":",
			"  Target URL: " + url,
			"  HTTP method: POST; content type: application/json",
			"  Secret: the contents of the secret file",
			"  Trigger: Push events; with proposals also Pull request",
			name + " may have to be told that it may call this host (ALLOWED_HOST_LIST in its section webhook).",
		}
	}
}

func setUpBitbucket(url string) []string {
	return []string{
		"In the repository, under Repository settings, Webhooks, add a webhook:",
		"  URL: " + url,
		"  Secret: the contents of the secret file",
		"  Triggers: Repository push; with proposals also Pull request merged and declined, Build status created and updated",
	}
}

func setUpDataCenter(url string) []string {
	return []string{
		"In the repository, under Repository settings, Webhooks, create a webhook:",
		"  URL: " + url,
		"  Secret: the contents of the secret file",
		"  Events: Push; with proposals also Pull request merged, declined and deleted",
	}
}

func setUpAzureDevOps(url string) []string {
	return []string{
		"In the project, under Project settings, Service hooks, create a subscription of Web Hooks:",
		"  Trigger: Code pushed, of this repository and branch; with proposals also Pull request updated, Build completed",
		"  URL: " + url,
		"  Basic authentication: any username, and as password the contents of the secret file",
		"Azure DevOps signs nothing, so its address must be https.",
	}
}

func setUpPush(url string) []string {
	return []string{
		"After a push, send what was pushed, signed with the contents of the secret file:",
		`  body='{"ref":"refs/heads/main"}'`,
		`  curl --json "$body" -H "X-Signature: sha256=$(printf %s "$body" | openssl dgst -sha256 -hmac "$(cat FILE)" -r | cut -d' ' -f1)" \`,
		"    '" + url + "'",
		"Standard Webhooks (webhook-id, webhook-timestamp, webhook-signature) will do as well.",
	}
}
