#include "gateway/worker/ended.h"

#include "gateway/worker/access_log.h"
#include "gateway/worker/meter.h"
#include "gateway/worker/slow_log.h"
#include "gateway/worker/trace.h"

void
request_ended(struct al_request *req)
{
	meter_ended(req);
	trace_ended(req);
	access_log(req);
	slow_log(req);
}
