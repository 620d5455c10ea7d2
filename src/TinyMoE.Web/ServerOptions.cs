namespace TinyMoE.Web;
