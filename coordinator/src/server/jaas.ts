/**
 * Users and passwords of a JAAS file's section: its `user_NAME="password"` options, as ZooKeeper's
 * DigestLoginModule reads them. A file without the section has no users.
 */
export function jaasUsers(text: string, section = "Server"): ReadonlyMap<string, string> {
  const bare = text.replace(/\/\*[\s\S]*?\*\/|("(?:[^"\\]|\\.)*")|\/\/[^\n]*/g, "$1");
  const sections = /([\w.-]+)\s*\{((?:"(?:[^"\\]|\\.)*"|[^"{}])*)\}/g;
  const users = new Map<string, string>();
  for (const [, name, body] of bare.matchAll(sections)) {
    if (name !== section) continue;
    const options = /\buser_([^\s=]+)\s*=\s*"((?:[^"\\]|\\.)*)"/g;
    for (const [, user, password] of body!.matchAll(options)) {
      users.set(user!, password!.replace(/\\(.)/g, "$1"));
    }
  }
  return users;
}
