/* Access logs, as far as the arbiter has to do with them. */
#ifndef ARBITER_ACCESS_FILE_H
#define ARBITER_ACCESS_FILE_H

#include "gateway/config/settings.h"

/* Workers open the access log of their application, also in a folder where only we may
 * make files: so we make it, and it is theirs. A file that is there stays as it is. */
void access_file_make(const struct app_settings *app);

#endif
