package graphql

import "context"

// object is any value behind an interface or a union of the schema. The library asks it for each type that it might be.
type object struct{ value any }

// as is the object as one type.
func as[T any](o *object) (*T, bool) {
	v, ok := o.value.(*T)
	return v, ok
}

// owner is a RepositoryOwner. Its field with arguments stands here, since the library passes none on to the types behind
// an interface.
type owner struct{ object }

// Repository finds one of the account's repositories.
func (o *owner) Repository(args repositoryArgs) (*repository, error) {
	switch v := o.value.(type) {
	case *user:
		return v.Repository(args)
	case *organization:
		return v.Repository(args)
	default:
		return nil, nil
	}
}

// labelable is a Labelable, likewise.
type labelable struct{ object }

// Labels are the labels of a pull request, the only kind of Labelable here.
func (l *labelable) Labels(ctx context.Context, args labelsArgs) (*connection[label], error) {
	p, ok := l.ToPullRequest()
	if !ok {
		return nil, nil
	}
	return p.Labels(ctx, args)
}

// The methods below are the library's questions; each answers for the type in its name.

// ToUser asks for a User, and so on.
func (o *object) ToUser() (*user, bool) { return as[user](o) }

// ToBot asks for a Bot.
func (o *object) ToBot() (*bot, bool) { return as[bot](o) }

// ToOrganization asks for an Organization.
func (o *object) ToOrganization() (*organization, bool) { return as[organization](o) }

// ToTeam asks for a Team.
func (o *object) ToTeam() (*team, bool) { return as[team](o) }

// ToApp asks for an App.
func (o *object) ToApp() (*app, bool) { return as[app](o) }

// ToRepository asks for a Repository.
func (o *object) ToRepository() (*repository, bool) { return as[repository](o) }

// ToRef asks for a Ref.
func (o *object) ToRef() (*ref, bool) { return as[ref](o) }

// ToBranchProtectionRule asks for a BranchProtectionRule.
func (o *object) ToBranchProtectionRule() (*protection, bool) { return as[protection](o) }

// ToLabel asks for a Label.
func (o *object) ToLabel() (*label, bool) { return as[label](o) }

// ToIssue asks for an Issue.
func (o *object) ToIssue() (*issue, bool) { return as[issue](o) }

// ToMilestone asks for a Milestone.
func (o *object) ToMilestone() (*milestone, bool) { return as[milestone](o) }

// ToBlob asks for a Blob.
func (o *object) ToBlob() (*blob, bool) { return as[blob](o) }

// ToTree asks for a Tree.
func (o *object) ToTree() (*tree, bool) { return as[tree](o) }

// ToCommit asks for a Commit.
func (o *object) ToCommit() (*commit, bool) { return as[commit](o) }

// ToGpgSignature asks for a GpgSignature.
func (o *object) ToGpgSignature() (*gpgSignature, bool) { return as[gpgSignature](o) }

// ToSshSignature asks for an SshSignature.
func (o *object) ToSshSignature() (*sshSignature, bool) { return as[sshSignature](o) }

// ToSmimeSignature asks for an SmimeSignature.
func (o *object) ToSmimeSignature() (*smimeSignature, bool) { return as[smimeSignature](o) }

// ToCheckSuite asks for a CheckSuite.
func (o *object) ToCheckSuite() (*checkSuite, bool) { return as[checkSuite](o) }

// ToWorkflowRun asks for a WorkflowRun.
func (o *object) ToWorkflowRun() (*workflowRun, bool) { return as[workflowRun](o) }

// ToWorkflow asks for a Workflow.
func (o *object) ToWorkflow() (*workflow, bool) { return as[workflow](o) }

// ToCheckRun asks for a CheckRun.
func (o *object) ToCheckRun() (*checkRun, bool) { return as[checkRun](o) }

// ToStatusContext asks for a StatusContext.
func (o *object) ToStatusContext() (*statusContext, bool) { return as[statusContext](o) }

// ToStatus asks for a Status.
func (o *object) ToStatus() (*status, bool) { return as[status](o) }

// ToStatusCheckRollup asks for a StatusCheckRollup.
func (o *object) ToStatusCheckRollup() (*rollup, bool) { return as[rollup](o) }

// ToPullRequest asks for a PullRequest.
func (o *object) ToPullRequest() (*pullRequest, bool) { return as[pullRequest](o) }

// ToPullRequestCommit asks for a PullRequestCommit.
func (o *object) ToPullRequestCommit() (*pullCommit, bool) { return as[pullCommit](o) }

// ToReviewRequestRemovedEvent asks for a ReviewRequestRemovedEvent.
func (o *object) ToReviewRequestRemovedEvent() (*requestRemoved, bool) { return as[requestRemoved](o) }

// ToProjectCard asks for a ProjectCard.
func (o *object) ToProjectCard() (*projectCard, bool) { return as[projectCard](o) }

// ToProjectColumn asks for a ProjectColumn.
func (o *object) ToProjectColumn() (*projectColumn, bool) { return as[projectColumn](o) }

// ToProject asks for a Project.
func (o *object) ToProject() (*project, bool) { return as[project](o) }

// ToProjectV2Item asks for a ProjectV2Item.
func (o *object) ToProjectV2Item() (*projectItem, bool) { return as[projectItem](o) }

// ToProjectV2 asks for a ProjectV2.
func (o *object) ToProjectV2() (*projectV2, bool) { return as[projectV2](o) }

// ToIssueComment asks for an IssueComment.
func (o *object) ToIssueComment() (*comment, bool) { return as[comment](o) }

// ToPullRequestReview asks for a PullRequestReview.
func (o *object) ToPullRequestReview() (*review, bool) { return as[review](o) }

// ToPullRequestReviewComment asks for a PullRequestReviewComment.
func (o *object) ToPullRequestReviewComment() (*lineComment, bool) { return as[lineComment](o) }

// ToPullRequestReviewThread asks for a PullRequestReviewThread.
func (o *object) ToPullRequestReviewThread() (*thread, bool) { return as[thread](o) }

// ToReviewRequest asks for a ReviewRequest.
func (o *object) ToReviewRequest() (*reviewRequest, bool) { return as[reviewRequest](o) }

// ToReaction asks for a Reaction.
func (o *object) ToReaction() (*reaction, bool) { return as[reaction](o) }
