/*
 * Whose settings al_option() tells: those of the application that is being loaded.
 */
#ifndef WORKER_OPTIONS_H
#define WORKER_OPTIONS_H

#include "gateway/config/settings.h"

/* From now on; NULL: the worker's own. Texts that were asked for before stay valid. Not
 * while another thread may ask. */
void options_use(const struct app_settings *other);

#endif
