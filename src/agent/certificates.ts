export { createAuthorityFiles, createNodeFiles } from './certificates/files.ts';
export { createAuthority, issueNodeCertificate } from './certificates/issue.ts';
