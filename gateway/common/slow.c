#include "gateway/common/slow.h"

#include <string.h>

static uint64_t
duration(const struct slow_row *row)
{
	return row->version != 0 ? row->request.us : 0;
}

static struct slow_row *
find_fastest(struct slow_row *rows, size_t n)
{
	struct slow_row *fastest = &rows[0];

	for (size_t i = 1; i < n; i++)
		if (duration(&rows[i]) < duration(fastest))
			fastest = &rows[i];
	return fastest;
}

void
slow_put(struct slow_row *rows, size_t n, const struct slow_request *request)
{
	struct slow_row *row = find_fastest(rows, n);
	uint32_t version = row->version;

	if (request->us <= duration(row))
		return;
	atomic_store_explicit(&row->version, version + 1, memory_order_relaxed);
	atomic_thread_fence(memory_order_release);
	row->request = *request;
	atomic_store_explicit(&row->version, version + 2, memory_order_release);
}

void
slow_note(struct slow_table *t, const struct slow_request *request)
{
	slow_put(t->rows, SLOW_ROWS, request);
	atomic_store_explicit(&t->least, duration(find_fastest(t->rows, SLOW_ROWS)),
		memory_order_relaxed);
}

bool
slow_read(const struct slow_row *row, struct slow_request *request)
{
	uint32_t version = atomic_load_explicit(&row->version, memory_order_acquire);

	*request = row->request;
	atomic_thread_fence(memory_order_acquire);
	/* Workers can write there what they want. */
	request->line[SLOW_LINE - 1] = request->id[SLOW_ID - 1] = '\0';
	return version != 0 && version % 2 == 0 &&
		atomic_load_explicit(&row->version, memory_order_relaxed) == version;
}

void
slow_clear(struct slow_table *t)
{
	memset(t, 0, sizeof(*t));
}
