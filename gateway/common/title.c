#include "gateway/common/title.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The memory that the kernel shows as the command line; NULL before title_init. */
static char *area;
static size_t area_size;

static const char usual_name[] = "alicorn";
static const char *program = usual_name;

/* The copies live as long as the program; kept here so that a leak check finds them. */
__attribute__((used)) static char **arguments, **environment;

/* A NULL-terminated copy of n texts; NULL when memory is out. */
static char **
copy_texts(char *const *texts, size_t n)
{
	char **copy = calloc(n + 1, sizeof(*copy));

	for (size_t i = 0; copy != NULL && i < n; i++) {
		if ((copy[i] = strdup(texts[i])) == NULL)
			return NULL;
	}
	return copy;
}

/* Where the area ends when `text` is its next part; texts elsewhere do not count. */
static char *
extend(char *end, char *text)
{
	return text == end ? text + strlen(text) + 1 : end;
}

char **
title_init(int argc, char **argv)
{
	size_t n_environ = 0;
	char *end = argc > 0 ? argv[0] : NULL;

	for (int i = 0; i < argc; i++)
		end = extend(end, argv[i]);
	for (; environ[n_environ] != NULL; n_environ++)
		end = extend(end, environ[n_environ]);

	environment = copy_texts(environ, n_environ);
	arguments = copy_texts(argv, (size_t)argc);
	if (environment == NULL || arguments == NULL || argc == 0)
		return argv; /* without memory for copies the titles stay as they are */
	environ = environment;
	area = argv[0];
	area_size = (size_t)(end - area);
	return arguments;
}

void
title_name(const char *name)
{
	program = name != NULL ? name : usual_name;
}

void
title_set(const char *format, ...)
{
	char text[256];
	va_list args;

	if (area == NULL)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	memset(area, 0, area_size);
	snprintf(area, area_size, "%s: %s", program, text);
}
