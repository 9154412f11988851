/*
 * The binding of Lua: applications that follow WSAPI 1.1, in Lua 5.4 ("lua") or LuaJIT
 * ("luajit"). Two kinds of Lua cannot be in one process, but in one server they can.
 */
#include <stdio.h>

#include "bindings/lua/hooks.h"
#include "bindings/lua/load.h"
#include "bindings/lua/module.h"
#include "bindings/lua/state.h"

static const char *
load(const char *target, void **app)
{
	static char reason[REASON_MAX];
	const char *error = setup_read(target);

	if (error != NULL)
		return error;
	/* What is printed shall be in the log when it happens. */
	setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
	state_mine = state_new(true, reason);
	*app = state_mine;
	return state_mine != NULL ? NULL : reason;
}

static const char *
init(struct state *s, char reason[REASON_MAX])
{
	const char *error = NULL;

	if (!state_call(s, s->L, CALL_INIT, 0)) {
		error_explain(s->L, reason);
		error = reason;
	}
	lua_pop(s->L, 1);
	return error;
}

static const char *
start(void *app)
{
	static char reason[REASON_MAX];

	return init(app, reason);
}

/* A thread has a state of its own, if it could make one. */
static int
handle(void *app, struct al_request *req)
{
	(void)app;
	return state_mine != NULL ? state_answer(state_mine, req) : AL_ERROR;
}

/* It works on without; once is enough to say so. */
static int
pause_for_ever(void)
{
	static bool told;

	if (!told)
		al_log(NULL, AL_WARNING,
			"the application has no function iterate, as worker_class = "
			"\"iterating\" wants it");
	told = true;
	return AL_PAUSE;
}

static int
iterate(void *app)
{
	struct state *s = app;
	int result = AL_PAUSE;

	if (s->calls[CALL_ITERATE] == LUA_REFNIL)
		return pause_for_ever();
	if (!state_call(s, s->L, CALL_ITERATE, 0))
		log_lines(NULL, AL_LOG_ERROR, error_text(s->L));
	else if (!module_is_pause(s->L, -1))
		result = AL_AGAIN;
	lua_pop(s->L, 1);
	return result;
}

static void
end(struct state *s)
{
	state_notify(s, s->L, CALL_EXIT, 0);
	state_free(s);
}

static void
begin_thread(void)
{
	char reason[REASON_MAX];
	const char *error = reason;

	state_mine = state_new(false, reason);
	if (state_mine != NULL)
		error = init(state_mine, reason);
	if (error == NULL)
		return;
	al_log(NULL, AL_LOG_ERROR, "a thread cannot load the application: %s", error);
	if (state_mine != NULL)
		state_free(state_mine);
	state_mine = NULL;
}

static void
end_thread(void)
{
	if (state_mine != NULL)
		end(state_mine);
	state_mine = NULL;
}

static void
hook(void *app, enum al_hook moment, struct al_request *req)
{
	(void)app;
	if (moment == AL_THREAD_START)
		begin_thread();
	else if (moment == AL_THREAD_EXIT)
		end_thread();
	else if (state_mine != NULL)
		hooks_call(state_mine, moment, req);
}

static void
unload(void *app)
{
	end(app);
	state_mine = NULL;
	fflush(stdout);
}

const struct al_binding al_binding = {
	.abi = AL_ABI,
	.flags = AL_THREAD_SAFE,
	.name = LUA_KIND,
	.load = load,
	.handle = handle,
	.iterate = iterate,
	.hook = hook,
	.unload = unload,
	.start = start,
};
