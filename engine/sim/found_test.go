package sim

// knownSeeds are seeds that have found each mutation. They are no promise: what is drawn for a world changes
// with the simulation, so TestMutations looks around them, too.
func knownSeeds() map[string]uint64 {
	return map[string]uint64{
		"an effect comes before its intent":                                    5,
		"a wait lasts twice as long":                                           1,
		"a wait ends a little early":                                           45,
		"a retry does not wait for its pause":                                  33,
		"everything is taken for idempotent":                                   11,
		"what nobody knows is a failure":                                       7,
		"the outcome of an old attempt is taken":                               1,
		"the finally steps are skipped":                                        1,
		"what happened first is undone first":                                  184,
		"an incident ends with a debt":                                         37,
		"who broke the glass reviews it":                                       37,
		"anybody breaks the glass":                                             76,
		"a gate is overridden by somebody else":                                30,
		"a gate opens after its time":                                          11,
		"a freeze is ignored":                                                  0,
		"an approval of another commit counts":                                 32,
		"a lock is free while nobody knows whether its step happened":          113,
		"a lock is ignored":                                                    1,
		"bug 1: people are asked after the check that shows who was asked":     273,
		"bug 2: a branch that the default branch has whole stays":              5,
		"bug 3: the branch goes before the records of its attempts":            126,
		"bug 4: a branch that was deleted is free":                             857,
		"bug 5: what was merged meanwhile is opened again":                     381,
		"bug 8: what is queued of a merged incident stays":                     381,
		"bug 12: what cannot be read for a moment is a problem of the runbook": 27,
		"bug 36: an edit may rest on what strangers wrote to the branch":       38,
		"who edited a step approves it":                                        23,
		"a gate that an edit touched keeps its approvals":                      112,
		"an edit of a step that ran is taken":                                  29,
		"an edit may change who approves a step":                               68,
	}
}
