#include "gateway/worker/ended.h"

#include "gateway/worker/access_log.h"
#include "gateway/worker/meter.h"

void
request_ended(struct al_request *req)
{
	meter_ended(req);
	access_log(req);
}
