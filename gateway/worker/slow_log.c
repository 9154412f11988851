#include "gateway/worker/slow_log.h"

#include "gateway/worker/meter.h"
#include "gateway/worker/self.h"

static bool is_over;

void
slow_log(struct al_request *req)
{
	long long limit_ms = (long long)self.settings->slow_request;

	if (limit_ms == 0 || is_over || req->answered_us == 0 || req->taken != 0)
		return;
	uint64_t us = meter_application_us(req);
	if (us > (uint64_t)limit_ms * 1000)
		al_log(req, AL_WARNING,
			"slow: it was %.3f s in the application, slow_request is "
			"%lld ms; it was answered %u",
			(double)us / 1e6, limit_ms, al_status(req));
}

void
slow_log_last_words(void)
{
	is_over = true;
}
