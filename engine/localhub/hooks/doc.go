// Package hooks sends the hub's webhooks. They follow from the state's events and from nothing else.
//
//	delivery      one call of one App's hook; it has a GUID, which a redelivery keeps
//	log           what was sent and answered, kept by the state for GET /app/hook/deliveries
//	settled       an event all of whose deliveries are logged; the state forgets it
//	disturbance   what a test lets go wrong with a delivery
//
//	state ── Event ──> queue ── payload per installation ──> one line per App ── POST, signed ──> log, settle
//
// An App gets its deliveries one after the other, in the order of the mutations; Apps do not wait for each other, and
// nobody who changes the state waits for a receiver. An answer other than 2xx, or none within ten seconds, is a failed
// delivery. As on GitHub nothing is sent again by itself: POST .../attempts does it, and receivers must look for
// themselves. Unlike GitHub nothing arrives out of order unless a disturbance says so.
//
// An event stays on disk until it is settled, so a hub that was killed sends after its restart what it had not sent,
// with the same GUIDs; a delivery that was under way may then arrive twice, as it may on GitHub. Pings and redeliveries
// that were still waiting are not sent: the log says so, unless the hub was killed.
//
// The package follows no redirects.
package hooks
