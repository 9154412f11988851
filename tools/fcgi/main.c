/*
 * alicorn-fcgi FILE.so[:FUNCTION]: runs a C application as a FastCGI responder, on
 * libfcgi and by the same binding as in the server. See alicorn-fcgi(1).
 *
 * One request at a time, as many processes as somebody starts: who starts them also
 * opens the socket, which is descriptor 0.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools/fcgi/request.h"

enum { EXIT_USAGE = 2, EXIT_LOAD = 4 };

static volatile sig_atomic_t stopping;

/* accept() returns then, and libfcgi does not begin anew. */
static void
on_stop(int number)
{
	(void)number;
	stopping = 1;
	FCGX_ShutdownPending();
}

/* These end the program between two requests, never in one. */
static void
catch_signals(sigset_t *stops)
{
	static const int numbers[] = { SIGTERM, SIGINT, SIGUSR1 };
	struct sigaction action = { .sa_handler = on_stop };

	sigemptyset(stops);
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		sigaddset(stops, numbers[i]);
		sigaction(numbers[i], &action, NULL);
	}
	signal(SIGPIPE, SIG_IGN);
	sigprocmask(SIG_BLOCK, stops, NULL);
}

static bool
accept_request(struct al_request *req, const sigset_t *stops)
{
	bool accepted;

	sigprocmask(SIG_UNBLOCK, stops, NULL);
	accepted = !stopping && FCGX_Accept_r(&req->fcgi) == 0;
	sigprocmask(SIG_BLOCK, stops, NULL);
	return accepted;
}

static void
answer(void *app, struct al_request *req)
{
	unsigned refusal = request_receive(req);
	bool complete = true;

	if (refusal != 0)
		response_error(req, refusal);
	else
		complete = response_finish(req, al_binding.handle(app, req));
	if (complete)
		FCGX_Finish_r(&req->fcgi);
	else
		FCGX_Free(&req->fcgi, 1); /* without an END_REQUEST */
	request_reset(req);
}

static int
fail(int status, const char *reason)
{
	fprintf(stderr, "alicorn-fcgi: %s\n", reason);
	return status;
}

int
main(int argc, char **argv)
{
	static struct al_request req;
	sigset_t stops;
	void *app;

	if (argc != 2 || argv[1][0] == '-')
		return fail(EXIT_USAGE,
			"usage: alicorn-fcgi FILE.so[:FUNCTION], with a listening "
			"socket as standard input");
	if (FCGX_IsCGI())
		return fail(EXIT_USAGE, "standard input is not a listening socket");
	const char *reason = al_binding.load(argv[1], &app);
	if (reason == NULL)
		reason = al_binding.start(app);
	if (reason != NULL)
		return fail(EXIT_LOAD, reason);
	if (FCGX_Init() != 0 || request_init(&req) != 0)
		return fail(EXIT_FAILURE, "libfcgi does not start");
	catch_signals(&stops);
	al_binding.hook(app, AL_WORKER_INIT, NULL);
	while (accept_request(&req, &stops))
		answer(app, &req);
	al_binding.hook(app, AL_WORKER_EXIT, NULL);
	al_binding.unload(app);
	return EXIT_SUCCESS;
}
