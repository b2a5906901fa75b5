/*-------------------------------------------------------------------------
 *
 * replication_setting.h
 *	  Where the wire is, names in it, and settings of its server.
 *
 *-------------------------------------------------------------------------
 */
#ifndef REPLICATION_SETTING_H
#define REPLICATION_SETTING_H

#include "lib/stringinfo.h"

#include "tl_types.h"

extern char *tl_replication_wire_conninfo;
extern int	tl_replication_keep_bodies_s;
extern int	tl_replication_keep_messages_s;

extern char *tl_replication_setting_conninfo(bool *is_default);
extern char *tl_replication_setting_other_database(const char *conninfo,
												   const char *database);
extern char *tl_replication_setting_database_name(const char *conninfo);
extern void tl_replication_setting_append(StringInfo out, const char *keyword,
										  const char *value);
extern char *tl_replication_setting_role(const TlHash *chain_id, uint32_t member);
extern char *tl_replication_setting_slot(const TlHash *chain_id, uint32_t publisher,
										 uint32_t subscriber, const char *kind);

#endif							/* REPLICATION_SETTING_H */
