export {
  createAuthorityFiles,
  createNodeFiles,
  authorityDaysDefault,
  nodeDaysDefault,
  type CertificateFiles,
} from './certificates/files.ts';
export { createAuthority, issueNodeCertificate, type Issued } from './certificates/issue.ts';
