/* What older kernels have under another name, or not at all; asked for by HAS_NAME (names.h), never by release. */
#ifndef OLDER_H
#define OLDER_H

#include <linux/pgtable.h>
#include <linux/swapops.h>

#include "names.h"

/* Kernels that mark no page of an entry as exclusive: the helpers leave every word as it is, as generic ones do. */
#if !HAS_pte_swp_mkexclusive
#define pte_swp_mkexclusive(pte) (pte)
#define pte_swp_clear_exclusive(pte) (pte)
#define pte_swp_exclusive(pte) 0
#endif

#if !HAS_is_writable_migration_entry
#define is_writable_migration_entry is_write_migration_entry
#endif
#if !HAS_is_writable_device_private_entry
#define is_writable_device_private_entry is_write_device_private_entry
#endif

#endif
