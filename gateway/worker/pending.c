/*
 * Applications that go on after handle(): AL_PENDING, and the ends that al_finish()
 * makes.
 */
#include "gateway/worker/detached.h"
#include "gateway/worker/lock.h"
#include "gateway/worker/relief.h"
#include "gateway/worker/request.h"
#include "gateway/worker/threads.h"

void
al_pending(struct al_request *req, const struct al_pending *calls, void *arg)
{
	lock_take();
	req->pending = threads_are_used() ? NULL : calls;
	req->pending_arg = arg;
	lock_give();
	relief_give_up();
}

static void
finish(struct al_request *req, enum al_result result, int status)
{
	if (req->in_handle) {
		req->finished = true;
		req->result = result;
		req->error_status = status;
		return;
	}
	response_finish(req, result, status);
	conn_resume(req->conn);
}

void
al_finish(struct al_request *req, enum al_result result, int status)
{
	if (req->taken != 0) {
		detached_give_back(req);
		return;
	}
	lock_take();
	finish(req, result, status);
	lock_give();
}

size_t
al_queued(struct al_request *req)
{
	lock_take();
	size_t bytes = req->conn->output.memory;
	lock_give();
	return bytes;
}

size_t
al_queue_limit(void)
{
	return self.settings->response_buffer_size;
}
