package main

func (t *triggering) editField() (triggerEdit, error) { return triggerEdit{}, usage("not yet") }
func (t *triggering) editText() (triggerEdit, error)  { return triggerEdit{}, usage("not yet") }
