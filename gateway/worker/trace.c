#include "gateway/worker/trace.h"

#include <stdatomic.h>
#include <string.h>

#include "gateway/common/trace.h"
#include "gateway/worker/meter.h"
#include "gateway/worker/request_id.h"
#include "gateway/worker/self.h"
#include "gateway/worker/worker.h"

static bool has_ended; /* the worker */
static uint32_t dropped; /* records, since the last one that was sent */

void
trace_last_words(void)
{
	has_ended = true;
}

static void
add(struct buffer *message, struct trace_record *record, enum trace_text which,
	struct slice text)
{
	if (text.len > TRACE_TEXT_MAX)
		text.len = TRACE_TEXT_MAX;
	record->lengths[which] = (uint16_t)text.len;
	buffer_add_slice(message, text);
}

static void
fill(struct buffer *message, struct al_request *req)
{
	struct trace_record record = {
		.us = meter_application_us(req),
		.bytes = req->conn->output.sent - req->sent_before,
		.status = req->begun ? req->response.status : STATUS_LEFT,
		.dropped = dropped,
	};
	bool has_head = req->head_len > 0;

	buffer_add(message, &record, sizeof(record));
	add(message, &record, TRACE_CLIENT, slice_str(request_peer(req)));
	add(message, &record, TRACE_METHOD,
		has_head ? req->head.method : (struct slice){ 0 });
	add(message, &record, TRACE_TARGET,
		has_head ? req->head.target : (struct slice){ 0 });
	add(message, &record, TRACE_ID, request_id(req));
	if (!message->failed)
		memcpy(message->ptr, &record, sizeof(record));
}

/* A record is only sent when the channel has taken all that came before: it must not
 * keep the application's messages from their room. */
static void
tell(struct al_request *req)
{
	static struct buffer message;

	buffer_reset(&message);
	if (worker_has_told())
		fill(&message, req);
	if (message.len > 0 && !message.failed &&
		worker_tell(MESSAGE_TRACE, buffer_slice(&message), -1))
		dropped = 0;
	else
		dropped++;
}

void
trace_ended(struct al_request *req)
{
	if (atomic_load_explicit(&self.slot->traced, memory_order_relaxed) != 0 &&
		!has_ended)
		tell(req);
}
