/* Prints the settings as they stand in alicorn.conf(5), for "make manual". */
#include <stdio.h>

#include "gateway/config/config.h"

int
main(void)
{
	struct buffer text = { 0 };

	config_manual(&text);
	fwrite(text.ptr, 1, text.len, stdout);
	buffer_release(&text);
	return 0;
}
