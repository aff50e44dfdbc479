package incident

import (
	"fmt"
	"maps"

	"github.com/pullbook/pullbook/engine/approval"
)

// Words count by what their author might do when the engine looked at them first. Of strangers the journal has nothing, so that
// they cannot fill it. Once one of them may write, it has in one event up to which comment their words were refused.

const spokeTooEarly = "it was there before it was seen that you may command here, and is not done later; nor is what you wrote before it. Say again, " +
	"in a new comment, what should be done now"

// Strangers adds to what is known of people who might not write: by user id, the newest of their comments with commands.
func Strangers(known map[int64]int64, comments []Comment) map[int64]int64 {
	out := maps.Clone(known)
	for _, c := range comments {
		if c.Own || c.By.Bot || c.By.Write || c.ID <= out[c.By.ID] || !commands(c.Body) {
			continue
		}
		if out == nil {
			out = map[int64]int64{}
		}
		out[c.By.ID] = c.ID
	}
	return out
}

// strangerKey is the key of the answer to somebody who may not write: that it is there shows that they might not.
func strangerKey(comment int64) string { return fmt.Sprintf("stranger-%d", comment) }

// answerKey is the key of the answer to a comment of which nothing is done.
func answerKey(c Comment) string {
	if !c.By.Write {
		return strangerKey(c.ID)
	}
	return CommentKey(c.ID)
}

// fromBefore is the newest comment of somebody who may write that was there when they might not; 0 if there is none. An engine that
// was started since knows it by its answer to their first comment, and takes all that is there now for older.
func (d *decider) fromBefore(by approval.Person) (newest int64) {
	bound := d.view.Strangers[by.ID]
	var first, last int64
	for _, c := range d.view.Comments {
		if c.By.ID != by.ID || c.Own || !commands(c.Body) {
			continue
		}
		if first == 0 || c.ID < first {
			first = c.ID
		}
		if last = max(last, c.ID); c.ID <= bound {
			newest = max(newest, c.ID)
		}
	}
	if first > max(bound, d.state.Strange[by.ID]) && d.answered(strangerKey(first)) {
		return last
	}
	return newest
}
