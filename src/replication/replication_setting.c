/*-------------------------------------------------------------------------
 *
 * replication_setting.c
 *	  Where the wire is, and names in it.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "catalog/pg_authid.h"
#include "commands/dbcommands.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "postmaster/postmaster.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/varlena.h"

#include "replication_connection.h"
#include "replication_setting.h"

/* Connection string of the wire database; empty: one beside this database. */
char	   *tl_replication_wire_conninfo = NULL;

/* How long bodies of applied batches are kept beside their rows; -1: for ever. */
int			tl_replication_keep_bodies_s = 86400;

/* How long others' votes stay here when no start needs them; -1: for ever. */
int			tl_replication_keep_messages_s = 2592000;

/*
 * The connection string of this database's wire.  The default is for trying
 * things out: a database of the same server, over its own socket, as the
 * superuser who made the cluster.  In a transaction.
 */
char *
tl_replication_setting_conninfo(bool *is_default)
{
	StringInfoData out;
	List	   *directories = NIL;
	char	   *sockets = pstrdup(Unix_socket_directories);
	char	   *name = get_database_name(MyDatabaseId);

	*is_default = tl_replication_wire_conninfo == NULL || tl_replication_wire_conninfo[0] == '\0';
	if (!*is_default)
		return pstrdup(tl_replication_wire_conninfo);
	if (strlen(name) + strlen("_wire") >= NAMEDATALEN)
		ereport(ERROR,
				errcode(ERRCODE_NAME_TOO_LONG),
				errmsg("the name of this database is too long to name its wire after it"),
				errhint("Set telco_ledger.wire_conninfo."));
	initStringInfo(&out);
	if (SplitDirectoriesString(sockets, ',', &directories) && directories != NIL)
		tl_replication_setting_append(&out, "host", linitial(directories));
	else
		tl_replication_setting_append(&out, "host", "localhost");
	tl_replication_setting_append(&out, "port", psprintf("%d", PostPortNumber));
	tl_replication_setting_append(&out, "dbname", psprintf("%s_wire", name));
	tl_replication_setting_append(&out, "user", GetUserNameFromId(BOOTSTRAP_SUPERUSERID, false));
	tl_replication_setting_append(&out, "application_name", "telco_ledger wire");
	return out.data;
}

/* The same server, another database; NULL if it is that already. */
char *
tl_replication_setting_other_database(const char *conninfo, const char *database)
{
	PQconninfoOption *options = PQconninfoParse(conninfo, NULL);
	StringInfoData out;
	bool		same = options == NULL;
	MemoryContext caller;

	if (options == NULL)
		return NULL;
	caller = MemoryContextSwitchTo(TopMemoryContext);
	initStringInfo(&out);
	for (PQconninfoOption *option = options; option->keyword != NULL; option++)
	{
		if (option->val == NULL)
			continue;
		if (strcmp(option->keyword, "dbname") != 0)
			tl_replication_setting_append(&out, option->keyword, option->val);
		else
			same = strcmp(option->val, database) == 0;
	}
	tl_replication_setting_append(&out, "dbname", database);
	MemoryContextSwitchTo(caller);
	PQconninfoFree(options);
	return same ? NULL : out.data;
}

/* NULL if the string is not one, or names none. */
char *
tl_replication_setting_database_name(const char *conninfo)
{
	PQconninfoOption *options = PQconninfoParse(conninfo, NULL);
	char	   *name = NULL;

	if (options == NULL)
		return NULL;
	for (PQconninfoOption *option = options; option->keyword != NULL; option++)
		if (strcmp(option->keyword, "dbname") == 0 && option->val != NULL)
			name = pstrdup(option->val);
	PQconninfoFree(options);
	return name;
}

/* The role of a member in the wires of the others, as ledger_internal.wire_role. */
char *
tl_replication_setting_role(const TlHash *chain_id, uint32_t member)
{
	const uint8_t *chain = chain_id->bytes;

	return psprintf("ledger_%02x%02x%02x%02x_%u", chain[0], chain[1], chain[2],
					chain[3], member);
}

/* A slot in the publisher's wire, as ledger_internal.wire_slot. */
char *
tl_replication_setting_slot(const TlHash *chain_id, uint32_t publisher,
							uint32_t subscriber, const char *kind)
{
	return psprintf("%s_%u_%s", tl_replication_setting_role(chain_id, publisher),
					subscriber, kind);
}

/* One keyword and its value, quoted, behind those that are there. */
void
tl_replication_setting_append(StringInfo out, const char *keyword, const char *value)
{
	appendStringInfo(out, "%s%s='", out->len > 0 ? " " : "", keyword);
	for (; *value != '\0'; value++)
	{
		if (*value == '\'' || *value == '\\')
			appendStringInfoChar(out, '\\');
		appendStringInfoChar(out, *value);
	}
	appendStringInfoChar(out, '\'');
}
