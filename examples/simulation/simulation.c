/*
 * Conway's Game of Life, steered over HTTP while it runs.
 *
 *	make test-files
 *	alicorn -k iterating build/examples/simulation/simulation.so
 *	curl http://127.0.0.1:8000/
 *	curl -d 'steps=100000' http://127.0.0.1:8000/
 *	curl -d 'steps=1000&born=36&survives=23' http://127.0.0.1:8000/
 *	curl -d 'steps=0' http://127.0.0.1:8000/
 *
 * Between two requests an iterating worker calls al_iterate(), which goes one
 *generation further, and has nothing to do when as many are done as it was told to. A
 *request comes in between two generations, so nothing of this needs a lock. The world
 *is that of one worker: with several, each has its own.
 */
#include <alicorn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	WIDTH = 64,
	HEIGHT = 32,
	STEPS_MAX = 1000000000,
	ROWS_MAX = HEIGHT * (WIDTH + 3) + 2,
	FORM_MAX = 1024,
};

/* Bit n: a dead cell with n neighbours is born, a living one survives. */
struct rule {
	unsigned born, survives;
};

static char cells[HEIGHT][WIDTH]; /* 1: alive; its edges meet */
static struct rule rule = { .born = 1 << 3, .survives = 1 << 2 | 1 << 3 };
static unsigned long generation, to_go;

/* ---- The simulation ---- */

/* The R-pentomino: small, and restless for a thousand generations. */
static void
begin(void)
{
	static const char *const pattern[] = { " ##", "## ", " # " };

	for (int y = 0; y < 3; y++)
		for (int x = 0; x < 3; x++)
			cells[HEIGHT / 2 + y][WIDTH / 2 + x] = pattern[y][x] == '#';
}

static int
neighbours(int x, int y)
{
	int n = -cells[y][x];

	for (int dy = -1; dy <= 1; dy++)
		for (int dx = -1; dx <= 1; dx++)
			n += cells[(y + dy + HEIGHT) % HEIGHT]
				  [(x + dx + WIDTH) % WIDTH];
	return n;
}

static void
step(void)
{
	char next[HEIGHT][WIDTH];

	for (int y = 0; y < HEIGHT; y++) {
		for (int x = 0; x < WIDTH; x++) {
			unsigned wanted = cells[y][x] ? rule.survives : rule.born;
			next[y][x] = wanted >> neighbours(x, y) & 1;
		}
	}
	memcpy(cells, next, sizeof(cells));
	generation++;
}

/* ---- Steering ---- */

/* The value of a field of a form; NULL: it has none of that name. Ours are numbers, in
 * which nothing is encoded. */
static const char *
field(const char *form, const char *name)
{
	size_t n = strlen(name);

	while (form != NULL && (strncmp(form, name, n) != 0 || form[n] != '=')) {
		form = strchr(form, '&');
		form += form != NULL;
	}
	return form != NULL ? form + n + 1 : NULL;
}

static void
set_counts(unsigned *counts, const char *digits)
{
	if (digits == NULL)
		return;
	for (*counts = 0; *digits >= '0' && *digits <= '8'; digits++)
		*counts |= 1u << (*digits - '0');
}

static int
steer(struct al_request *req)
{
	char form[FORM_MAX + 1];
	ssize_t n = al_read(req, form, FORM_MAX);

	if (n < 0)
		return -1;
	form[n] = '\0';
	const char *steps = field(form, "steps");
	if (steps != NULL) {
		unsigned long wanted = strtoul(steps, NULL, 10);
		to_go = wanted < STEPS_MAX ? wanted : STEPS_MAX;
	}
	set_counts(&rule.born, field(form, "born"));
	set_counts(&rule.survives, field(form, "survives"));
	return 0;
}

/* ---- What is seen ---- */

/* Returns how many live. */
static int
draw(char text[ROWS_MAX])
{
	int alive = 0;

	for (int y = 0; y < HEIGHT; y++) {
		*text++ = y == 0 ? '[' : ',';
		*text++ = '"';
		for (int x = 0; x < WIDTH; x++) {
			*text++ = cells[y][x] ? '#' : ' ';
			alive += cells[y][x];
		}
		*text++ = '"';
	}
	*text++ = ']';
	*text = '\0';
	return alive;
}

static int
show(struct al_request *req)
{
	static const struct al_header json = { "Content-Type", "application/json", 0,
		0 };
	char rows[ROWS_MAX], text[ROWS_MAX + 256];
	int alive = draw(rows);
	int n = snprintf(text, sizeof(text),
		"{\"generation\": %lu, \"to_go\": %lu, \"alive\": %d, \"rows\": %s}\n",
		generation, to_go, alive, rows);
	if (al_start(req, "200 OK", &json, 1) != 0)
		return AL_ERROR;
	return al_write_last(req, text, (size_t)n) == 0 ? AL_DONE : AL_ERROR;
}

/* ---- What the gateway calls ---- */

const char *
al_worker_init(void **app)
{
	(void)app;
	begin();
	return NULL;
}

int
al_iterate(void *app)
{
	(void)app;
	if (to_go == 0)
		return AL_PAUSE;
	to_go--;
	step();
	return AL_AGAIN;
}

int
al_handle(void *app, struct al_request *req)
{
	(void)app;
	if (strcmp(al_env(req, "REQUEST_METHOD"), "POST") == 0 && steer(req) != 0)
		return AL_ERROR;
	return show(req);
}
