package trigger

// deploymentConfig finds what the ImageChange triggers of a DeploymentConfig make follow.
func (f *finding) deploymentConfig(o object) {}
