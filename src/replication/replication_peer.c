/*-------------------------------------------------------------------------
 *
 * replication_peer.c
 *	  Addresses of peers: what may stand in one, and what is made of it.
 *
 * An address is a libpq connection string.  It comes from a peer and is used
 * by this server, so only keywords that say where a wire is are taken: one
 * with user, options, service or files could make this server connect to
 * itself, or read its own files, as somebody else.  A password is refused
 * because an address is on the ledger for ever.
 *
 *-------------------------------------------------------------------------
 */
#include "postgres.h"

#include "lib/stringinfo.h"

#include "replication_peer.h"
#include "replication_setting.h"

/* NULL if the address can be used, otherwise a sentence that says why not. */
char *
tl_replication_address_check(const char *address)
{
	static const char *const allowed[] = {"host", "hostaddr", "port", "dbname", "sslmode"};
	char	   *message = NULL;
	char	   *result = NULL;
	bool		has_host = false;
	bool		has_database = false;
	PQconninfoOption *options;

	if (strlen(address) > TL_PEER_ADDRESS_SIZE_MAX)
		return psprintf("It has more than %d bytes.", TL_PEER_ADDRESS_SIZE_MAX);
	options = PQconninfoParse(address, &message);
	if (options == NULL)
	{
		char		text[TL_CONNECTION_ERROR_SIZE];

		tl_replication_connection_text(text, sizeof(text), message ? message : "out of memory");
		PQfreemem(message);
		return psprintf("It is no connection string: %s.", text);
	}
	for (PQconninfoOption *option = options; option->keyword != NULL; option++)
	{
		bool		found = false;

		if (option->val == NULL)
			continue;
		for (int i = 0; i < lengthof(allowed); i++)
			found |= strcmp(option->keyword, allowed[i]) == 0;
		if (!found && result == NULL)
			result = strcmp(option->keyword, "password") == 0 ?
				pstrdup("It holds a password, which would be on the ledger for ever.") :
				psprintf("It holds \"%s\"; only host, hostaddr, port, dbname and sslmode may stand in it.",
						 option->keyword);
		has_host |= strncmp(option->keyword, "host", 4) == 0 && option->val[0] != '\0';
		has_database |= strcmp(option->keyword, "dbname") == 0 && option->val[0] != '\0';
	}
	PQconninfoFree(options);
	if (result == NULL && !(has_host && has_database))
		result = pstrdup("It must name host and dbname.");
	return result;
}

/* The connection string of this member at that address. */
char *
tl_replication_address_conninfo(const char *address, const char *role)
{
	PQconninfoOption *options = PQconninfoParse(address, NULL);
	StringInfoData out;

	if (options == NULL)
		return NULL;
	initStringInfo(&out);
	for (PQconninfoOption *option = options; option->keyword != NULL; option++)
		if (option->val != NULL)
			tl_replication_setting_append(&out, option->keyword, option->val);
	PQconninfoFree(options);
	tl_replication_setting_append(&out, "user", role);
	tl_replication_setting_append(&out, "application_name", role);
	tl_replication_setting_append(&out, "connect_timeout", "10");
	return out.data;
}
