#include "gateway/worker/meter.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "gateway/common/clock.h"
#include "gateway/worker/reports.h"
#include "gateway/worker/request_id.h"
#include "gateway/worker/self.h"

void
meter_called(struct al_request *req)
{
	if (req->called_us == 0)
		req->called_us = clock_us();
	req->answered_us = 0;
}

uint64_t
meter_answered(struct al_request *req)
{
	uint64_t now = clock_us();

	if (req->answered_us == 0)
		req->answered_us = now;
	return now;
}

uint64_t
meter_application_us(const struct al_request *req)
{
	uint64_t end = req->answered_us;

	if (req->called_us == 0)
		return 0;
	if (end == 0)
		end = clock_us();
	return end > req->called_us ? end - req->called_us : 1;
}

static enum tally_response
class_of(unsigned status)
{
	if (status == STATUS_LEFT)
		return TALLY_LEFT;
	return status >= 100 && status < 600 ? TALLY_1XX + (status / 100 - 1)
					     : TALLY_5XX;
}

static void
note_slow(struct al_request *req, uint64_t us, unsigned status)
{
	struct slow_request slow = {
		.us = us,
		.at = time(NULL),
		.pid = getpid(),
		.status = status,
	};

	request_line(req, slow.line, sizeof(slow.line));
	snprintf(slow.id, sizeof(slow.id), "%.*s", SLICE_ARG(request_id(req)));
	slow_note(&self.slot->slow, &slow);
}

void
meter_ended(struct al_request *req)
{
	struct tally *t = &self.slot->tally;
	unsigned status = req->begun ? req->response.status : STATUS_LEFT;
	uint64_t us = meter_application_us(req);

	tally_count(&t->responses[class_of(status)], 1);
	tally_count(&t->bytes_in, req->head_len + req->body.length);
	if (req->begun)
		tally_count(&t->bytes_out, req->conn->output.sent - req->sent_before);
	reports_count(status, us);
	if (us == 0)
		return;
	histogram_add(&t->application, us);
	if (slow_is_one(&self.slot->slow, us))
		note_slow(req, us, status);
}

void
meter_queued(uint64_t waited_ms)
{
	histogram_add(&self.slot->tally.queue, waited_ms * 1000);
}
