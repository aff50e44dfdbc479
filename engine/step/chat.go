package step

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// apart is a zero-width space: it parts signs that mean something together, and is not seen.
const apart = "\u200b"

// defused is a text of which a chat makes no mention, no link that hides where it leads, and no emphasis: part of it may come
// from an alert. Signs that are only escaped would stand there as they are in chats with other rules, so they become others that
// look alike, or are parted:
//
//   - angle brackets: <!channel> and <address|words> in Slack, <at> in Teams, <@id> in Discord, and quotes;
//   - @here, [words](address), [words][1];
//   - *bold* and ` + "`code`" + ` anywhere, _italic_ and ~struck~ where the sign does not stand inside a word, as in db_main;
//   - ||hidden|| in Discord, and at the beginning of a line # of a heading, and lines of = and - that underline one.
//
// Formats: docs.slack.dev/messaging/formatting-message-text, support.discord.com "Markdown Text 101",
// learn.microsoft.com/microsoftteams/platform/task-modules-and-cards/cards/cards-format, spec.commonmark.org.
func defused(text string) string {
	text = strings.NewReplacer("<", "‹", ">", "›", "@", "@"+apart, "](", "]"+apart+"(", "][", "]"+apart+"[", "]:", "]"+apart+":",
		"*", "∗", "`", "ˋ", "||", "|"+apart+"|"+apart).Replace(text)
	return regexp.MustCompile(`(?m)^([ \t]*)(#|=+[ \t]*$|-+[ \t]*$)`).ReplaceAllString(loose(text), "${1}"+apart+"${2}")
}

// loose replaces the underscores and tildes that do not stand between two letters or digits: only these emphasise.
func loose(text string) string {
	inWord := func(c rune) bool { return unicode.IsLetter(c) || unicode.IsDigit(c) }
	var b strings.Builder
	before := ' '
	for i, c := range text {
		_, size := utf8.DecodeRuneInString(text[i:])
		after, _ := utf8.DecodeRuneInString(text[i+size:])
		between := inWord(before) && inWord(after)
		switch before = c; {
		case c == '_' && !between:
			b.WriteRune('ˍ')
		case c == '~' && !between:
			b.WriteRune('∼')
		default:
			b.WriteRune(c)
		}
	}
	return b.String()
}
